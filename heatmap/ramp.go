package heatmap

import (
	"image/color"
	"math"
)

// colours is the number of colours of a picture. The first is transparent. Colour i is for the share (i/255)² of the
// greatest heat: with equal steps the little heat that most of a page has would lie in visible bands.
const colours = 256

// rampColours go from transparent over blue, cyan, green and yellow to red. Heat is unevenly spread on every page, a few
// spots have nearly all, so that half of the colours are for the lowest quarter. Between the stops they are straight
// lines in OKLab (Björn Ottosson, A perceptual color space for image processing, 2020), so that equal parts of the way
// look about equal; opacity rises all the way, so that the order shows without colour vision too.
var rampColours = makeRamp([]rampStop{
	{0, 0x6a, 0x5c, 0xff, 0},
	{0.012, 0x5f, 0x63, 0xfa, 0.20},
	{0.06, 0x3f, 0x7d, 0xf8, 0.46},
	{0.15, 0x1a, 0xa9, 0xee, 0.60},
	{0.27, 0x1c, 0xc7, 0xb4, 0.66},
	{0.42, 0x6f, 0xd6, 0x55, 0.72},
	{0.60, 0xf6, 0xdd, 0x3b, 0.81},
	{0.80, 0xff, 0x8f, 0x1f, 0.88},
	{1, 0xe0, 0x1b, 0x30, 0.94},
})

// differenceZero is the colour of no difference. Colour differenceZero + i is for the share (i/127)² of the greatest
// difference up, differenceZero − i for that down.
const differenceZero = 128

// differenceColours go from transparent in the middle to orange for more and to blue for less: two hues that people with
// any common kind of colour vision tell apart, of a like lightness, so that neither looks like more heat than the other,
// and light enough to be seen on a dark page, dark enough for a light one.
var differenceColours = makeDifference(
	makeRamp([]rampStop{
		{0, 0xff, 0xa9, 0x4d, 0},
		{0.012, 0xff, 0xa9, 0x4d, 0.22},
		{0.15, 0xfd, 0x8a, 0x22, 0.62},
		{0.45, 0xf7, 0x6b, 0x15, 0.80},
		{1, 0xe0, 0x4a, 0x00, 0.94},
	}),
	makeRamp([]rampStop{
		{0, 0x66, 0xb2, 0xff, 0},
		{0.012, 0x66, 0xb2, 0xff, 0.22},
		{0.15, 0x3d, 0x94, 0xff, 0.62},
		{0.45, 0x2b, 0x7c, 0xfa, 0.80},
		{1, 0x17, 0x5f, 0xee, 0.94},
	}),
)

func makeDifference(more, less [colours]color.NRGBA) (both [colours]color.NRGBA) {
	for i := range differenceZero {
		at := i * (colours - 1) / (differenceZero - 1) // of a ramp
		both[differenceZero+i] = more[at]
		both[differenceZero-i] = less[at]
	}
	both[0] = both[1]
	return both
}

// rampStop is a colour at a share of the greatest heat; opacity is 0 to 1.
type rampStop struct {
	at      float64
	r, g, b uint8
	opacity float64
}

func makeRamp(stops []rampStop) (ramp [colours]color.NRGBA) {
	k := 0
	for i := 1; i < colours; i++ {
		v := float64(i) / (colours - 1)
		v *= v
		for k < len(stops)-2 && v > stops[k+1].at {
			k++
		}
		a, b := stops[k], stops[k+1]
		t := min((v-a.at)/(b.at-a.at), 1)
		from, to := toOKLab(a), toOKLab(b)
		for j := range from {
			from[j] += (to[j] - from[j]) * t
		}
		c := fromOKLab(from)
		c.A = uint8(math.Round(255 * (a.opacity + (b.opacity-a.opacity)*t)))
		ramp[i] = c
	}
	return ramp
}

func toOKLab(s rampStop) [3]float64 {
	r, g, b := linear(s.r), linear(s.g), linear(s.b)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	n := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return [3]float64{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*n,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*n,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*n,
	}
}

func fromOKLab(c [3]float64) color.NRGBA {
	l := cube(c[0] + 0.3963377774*c[1] + 0.2158037573*c[2])
	m := cube(c[0] - 0.1055613458*c[1] - 0.0638541728*c[2])
	n := cube(c[0] - 0.0894841775*c[1] - 1.2914855480*c[2])
	return color.NRGBA{
		R: gamma(4.0767416621*l - 3.3077115913*m + 0.2309699292*n),
		G: gamma(-1.2684380046*l + 2.6097574011*m - 0.3413193965*n),
		B: gamma(-0.0041960863*l - 0.7034186147*m + 1.7076147010*n),
	}
}

func cube(x float64) float64 { return x * x * x }

// linear and gamma are the transfer functions of sRGB (IEC 61966-2-1).
func linear(v uint8) float64 {
	x := float64(v) / 255
	if x <= 0.04045 {
		return x / 12.92
	}
	return math.Pow((x+0.055)/1.055, 2.4)
}

func gamma(x float64) uint8 {
	if x <= 0.0031308 {
		x *= 12.92
	} else {
		x = 1.055*math.Pow(x, 1/2.4) - 0.055
	}
	return uint8(math.Round(255 * min(max(x, 0), 1)))
}
