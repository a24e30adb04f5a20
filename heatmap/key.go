package heatmap

import (
	"fmt"
	"time"
)

// CellSize is the side of a cell, CSS px.
const CellSize = 8

// BandSize is the height of a reach and attention band, CSS px.
const BandSize = 50

// WidthBand is a band of viewport widths: band b holds the widths 32·b to 32·b+31 px, but for UnknownWidth, which holds
// the hits whose viewport is unknown (width 0, so band 0 holds 1 to 31).
type WidthBand uint16

// WidthBandSize is the number of widths in a band, px.
const WidthBandSize = 32

// UnknownWidth is the band of hits without a viewport width.
const UnknownWidth WidthBand = 1 << 11

// WidthBandOf gives the band of a viewport width in px.
func WidthBandOf(w uint16) WidthBand {
	if w == 0 {
		return UnknownWidth
	}
	return WidthBand(w / WidthBandSize)
}

// Device is the class of device that a user agent names.
type Device uint8

// The devices; a hit without a user agent counts as desktop. The numbers are part of the blob's format.
const (
	Desktop Device = 0
	Tablet  Device = 1
	Mobile  Device = 2
)

var deviceNames = [...]string{"desktop", "tablet", "mobile"}

// String gives the name that the API uses.
func (d Device) String() string {
	if int(d) < len(deviceNames) {
		return deviceNames[d]
	}
	return fmt.Sprintf("device(%d)", uint8(d))
}

// ParseDevice is the inverse of String.
func ParseDevice(name string) (Device, bool) {
	for d, n := range deviceNames {
		if n == name {
			return Device(d), true
		}
	}
	return 0, false
}

// LayerID names a layer of a delta or blob: Kind in bits 16 and up, WidthBand in bits 4 to 15, Device in bits 1 to 2,
// bot in bit 0. Layers are stored in ascending order of it.
type LayerID uint32

// NewLayerID packs the four facts that tell a layer.
func NewLayerID(k Kind, w WidthBand, d Device, bot bool) LayerID {
	id := LayerID(k)<<16 | LayerID(w)<<4 | LayerID(d)<<1
	if bot {
		id |= 1
	}
	return id
}

// Kind is what the layer counts.
func (id LayerID) Kind() Kind { return Kind(id >> 16) }

// WidthBand is the layer's band of viewport widths.
func (id LayerID) WidthBand() WidthBand { return WidthBand(id >> 4 & 0xfff) }

// Device is the layer's class of device.
func (id LayerID) Device() Device { return Device(id >> 1 & 3) }

// Bot reports whether the layer's hits come from bots.
func (id LayerID) Bot() bool { return id&1 != 0 }

// Valid reports whether id is one that NewLayerID can make.
func (id LayerID) Valid() bool {
	return id.Kind().Valid() && id>>24 == 0 && id.WidthBand() <= UnknownWidth && id.Device() <= Mobile && id&8 == 0
}

// Date is a civil day, counted in days from 1970-01-01.
type Date int32

// DateOf gives the civil day of a Unix time in ms, in loc.
func DateOf(ms int64, loc *time.Location) Date {
	y, m, d := time.UnixMilli(ms).In(loc).Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("parse date %q: want YYYY-MM-DD", s)
	}
	return Date(t.Unix() / 86400), nil
}

// Time is the day's midnight in UTC, for its calendar fields.
func (d Date) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String gives YYYY-MM-DD.
func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// Start is the first instant of the day in loc, Unix ms. Where midnight does not exist it is the first instant after.
func (d Date) Start(loc *time.Location) int64 {
	y, m, day := d.Time().Date()
	t := time.Date(y, m, day, 0, 0, 0, 0, loc)
	if DateOf(t.UnixMilli(), loc) < d { // midnight fell into a gap and Date went back before it
		_, end := t.ZoneBounds()
		t = end
	}
	return t.UnixMilli()
}

// Period is a day or a month: the span of time that one delta or blob counts. Months order before days.
type Period uint32

const dayPeriods Period = 1 << 16

// DayPeriod is the period of one day, from 1970-01-01 on.
func DayPeriod(d Date) Period { return dayPeriods | Period(uint16(d)) }

// MonthPeriod is the period of the month in which d lies.
func MonthPeriod(d Date) Period {
	y, m, _ := d.Time().Date()
	return Period((y-1970)*12 + int(m) - 1)
}

// IsMonth tells a month from a day.
func (p Period) IsMonth() bool { return p < dayPeriods }

// First is the first day of the period.
func (p Period) First() Date {
	if !p.IsMonth() {
		return Date(p &^ dayPeriods)
	}
	return Date(time.Date(1970+int(p)/12, time.Month(int(p)%12+1), 1, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Last is the last day of the period.
func (p Period) Last() Date {
	if !p.IsMonth() {
		return p.First()
	}
	return (p + 1).First() - 1
}

// String gives YYYY-MM or YYYY-MM-DD.
func (p Period) String() string {
	if p.IsMonth() {
		return p.First().Time().Format("2006-01")
	}
	return p.First().String()
}

// Key names what one delta or blob counts: a page of a site in a period. Page is the normalised URL, or the page of the
// group that the rules put it in.
type Key struct {
	Site, Page string
	Period     Period
}
