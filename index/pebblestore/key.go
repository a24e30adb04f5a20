package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"heatlog/heatmap"
	"heatlog/index"
)

// Keyspaces: the first byte of every key.
const (
	docSpace     = 'd'
	recordSpace  = 'r'
	versionSpace = 'v'
	commitSpace  = 'n'
)

const (
	docVersion = 1
	maxKey     = 64 << 10 // bytes; a page is at most 8 KiB, and escapes at most double it
	maxValue   = 64 << 20 // bytes; a blob is at most 12 MiB
)

var errBadKey = errors.New("not a document's key")

// appendText appends s so that encoded texts order as the texts do and none is the beginning of another.
func appendText[T string | []byte](dst []byte, s T) []byte {
	return append(appendEscaped(dst, s), 0, 1)
}

func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return dst
}

// cutText splits key behind its first text. The text is still escaped.
func cutText(key []byte) (text, rest []byte, err error) {
	for from := 0; ; {
		i := bytes.IndexByte(key[from:], 0)
		if i < 0 || from+i+1 == len(key) {
			return nil, nil, errBadKey
		}
		i += from
		switch key[i+1] {
		case 1:
			return key[:i], key[i+2:], nil
		case 0xff:
			from = i + 2
		default:
			return nil, nil, errBadKey
		}
	}
}

// unescape gives the text that appendEscaped was given.
func unescape(text []byte) string {
	if bytes.IndexByte(text, 0) < 0 {
		return string(text)
	}
	return string(bytes.ReplaceAll(text, []byte{0, 0xff}, []byte{0}))
}

// appendGeneration appends what all keys of a generation begin with.
func appendGeneration(dst []byte, generation string) []byte {
	return appendText(append(dst, docSpace), generation)
}

// appendSite appends what all keys of a site in a generation begin with.
func appendSite(dst []byte, generation, site string) []byte {
	return appendText(appendGeneration(dst, generation), site)
}

// appendDoc appends the key of a document.
func appendDoc(dst []byte, r *index.Ref) ([]byte, error) {
	from := len(dst)
	dst = appendText(appendSite(dst, r.Generation, r.Site), r.Page)
	dst = append(binary.BigEndian.AppendUint32(dst, uint32(r.Period)), r.Source...)
	if n := len(dst) - from; n > maxKey {
		return dst[:from], fmt.Errorf("key of site %q, page %.100q is %d bytes, limit %d", r.Site, r.Page, n, maxKey)
	}
	return dst, nil
}

// cutDoc splits what follows the site in a document's key. The page is still escaped.
func cutDoc(key []byte) (page []byte, period heatmap.Period, source []byte, err error) {
	page, rest, err := cutText(key)
	if err != nil {
		return nil, 0, nil, err
	}
	if len(rest) < 4 {
		return nil, 0, nil, errBadKey
	}
	return page, heatmap.Period(binary.BigEndian.Uint32(rest)), rest[4:], nil
}

// after gives the first key behind all that begin with prefix, nil if there is none.
func after(prefix []byte) []byte {
	for n := len(prefix); n > 0; n-- {
		if prefix[n-1] != 0xff {
			end := bytes.Clone(prefix[:n])
			end[n-1]++
			return end
		}
	}
	return nil
}

// appendValue appends the value of a document.
func appendValue(dst []byte, watermark uint64, blob []byte) []byte {
	return append(binary.AppendUvarint(append(dst, docVersion), watermark), blob...)
}

// valueSize is an upper bound of what appendValue appends.
func valueSize(blob []byte) int { return 1 + binary.MaxVarintLen64 + len(blob) }

// cutValue splits the value of a document. The blob is a part of value.
func cutValue(value []byte) (watermark uint64, blob []byte, err error) {
	if len(value) == 0 {
		return 0, nil, errors.New("document's value is empty")
	}
	if value[0] != docVersion {
		return 0, nil, fmt.Errorf("document has version %d, want %d", value[0], docVersion)
	}
	w, n := binary.Uvarint(value[1:])
	if n <= 0 || w == 0 {
		return 0, nil, errors.New("document has no watermark")
	}
	if n > 1 && value[n] == 0 {
		return 0, nil, errors.New("document's watermark is longer than it need be")
	}
	return w, value[1+n:], nil
}
