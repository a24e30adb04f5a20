package pebblestore

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzKey reads any bytes as what follows the site in a document's key, and as a value: what is taken is written as it was.
func FuzzKey(f *testing.F) {
	f.Add(append(binary.BigEndian.AppendUint32(appendText(nil, "https://a.example/\x00"), 7), "j1"...), appendValue(nil, 5, []byte("blob")))
	f.Add([]byte{0, 1, 0, 0, 0, 0}, []byte{})
	f.Add([]byte{}, []byte{1, 0xff, 0}) // 127, longer than it need be
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if page, period, source, err := cutDoc(key); err == nil {
			again := append(binary.BigEndian.AppendUint32(appendText(nil, unescape(page)), uint32(period)), source...)
			if !bytes.Equal(again, key) {
				t.Errorf("key %x is written as %x", key, again)
			}
		}
		if watermark, blob, err := cutValue(value); err == nil {
			if again := appendValue(nil, watermark, blob); !bytes.Equal(again, value) {
				t.Errorf("value %x is written as %x", value, again)
			}
		}
	})
}
