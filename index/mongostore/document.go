package mongostore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"heatlog/index"
)

// Fields of a document. Their names are the format's version: a later format has other names, so that no filter of this one
// matches its documents, and none of it is taken for one of this format.
const (
	idField        = "_id"
	watermarkField = "w"
	blobField      = "b"
)

// maxDocument is MongoDB's bound of a document, bytes.
const maxDocument = 16 << 20

// appendDocument appends a document as BSON, without an _id if id is "".
func appendDocument(dst []byte, id string, watermark uint64, blob []byte) bson.Raw {
	from, dst := bsoncore.AppendDocumentStart(dst)
	if id != "" {
		dst = bsoncore.AppendStringElement(dst, idField, id)
	}
	dst = bsoncore.AppendInt64Element(dst, watermarkField, int64(watermark))
	dst = bsoncore.AppendBinaryElement(dst, blobField, bson.TypeBinaryGeneric, blob)
	dst, err := bsoncore.AppendDocumentEnd(dst, from)
	if err != nil {
		panic(fmt.Sprintf("mongostore: end of a document: %v", err))
	}
	return bson.Raw(dst)
}

// documentSize is the length of what appendDocument appends.
func documentSize(id string, blob []byte) int {
	return 4 + 1 + len(idField) + 1 + 4 + len(id) + 1 + 1 + len(watermarkField) + 1 + 8 + 1 + len(blobField) + 1 + 4 + 1 + len(blob) + 1
}

// stored is a document as it is stored. The blob is a part of what it was read from.
type stored struct {
	id        string
	watermark uint64
	blob      []byte
}

// readDocument reads a document, the error being a *foreignError if this format has none such.
func readDocument(raw bson.Raw) (d stored, err error) {
	err = raw.Validate()
	if err == nil && int(binary.LittleEndian.Uint32(raw)) != len(raw) {
		err = errors.New("wrong length")
	}
	if err != nil {
		return d, fmt.Errorf("read a document's BSON: %w", err)
	}
	hasWatermark, hasBlob := false, false
	strange := ""
	elements, _ := raw.Elements() // valid, as it was looked at
	for _, e := range elements {
		v, ok := e.Value(), false
		switch key := e.Key(); key {
		case idField:
			d.id, ok = v.StringValueOK()
		case watermarkField:
			var w int64
			w, ok = v.Int64OK()
			d.watermark, hasWatermark = uint64(w), ok && w != 0
		case blobField:
			var subtype byte
			subtype, d.blob, ok = v.BinaryOK()
			ok = ok && subtype == bson.TypeBinaryGeneric
			hasBlob = ok
		}
		if !ok {
			strange = e.Key()
		}
	}
	switch {
	case strange != "":
		err = &foreignError{d.id, fmt.Sprintf("its field %.20q is not of this version's format", strange)}
	case !hasWatermark:
		err = &foreignError{d.id, "it has no watermark"}
	case !hasBlob:
		err = &foreignError{d.id, "it has no blob"}
	}
	return d, err
}

// foreignError says that something else than this version of heatlog wrote a document.
type foreignError struct{ id, why string }

func (e *foreignError) Error() string {
	return fmt.Sprintf("document %s was written by another version of heatlog: %s; use the version that wrote it (nothing was changed)",
		describe(e.id), e.why)
}

// Size gives what a document takes in MongoDB before it is compressed: bytes of BSON, and of its key in the index of _id,
// which is the only one. The error says that its _id is too long.
func Size(d index.Doc) (document, key int, err error) {
	id, err := idOf(&d.Ref)
	return documentSize(id, d.Blob), len(id), err
}
