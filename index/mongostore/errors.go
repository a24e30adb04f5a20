package mongostore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// Codes of MongoDB's errors. Its texts change from version to version.
const (
	codeUnauthorized   = 13
	codeAuthentication = 18
	codeMaxTime        = 50
	codeDuplicate      = 11000
	codeTooLarge       = 10334
	codeOutOfDisk      = 14031
	codeAtlas          = 8000 // of Atlas: a quota, or a user who may not
)

// storeError is an error of the database, told to a person: where, what, and what to do.
type storeError struct {
	where, what, hint string
	err               error // the driver's
}

func (e *storeError) Error() string {
	text := e.where + ": " + e.what
	if e.hint != "" {
		text += "; " + e.hint
	}
	return text
}

func (e *storeError) Unwrap() error { return e.err }

// explain makes an error of the driver a storeError. Other errors it gives back as they are; if the caller has ended ctx, it
// gives that error, but for one that says why nobody could be asked.
func (s *Store) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s.counts.errors.Add(1)
	if ctx.Err() != nil && !isUnanswered(ctx, err) {
		return ctx.Err()
	}
	what, hint := explain(err, s.o.Timeout.String())
	if old := s.topology.tooOld.Load(); old != nil {
		what, hint = "the server is too old for heatlog, which needs MongoDB 4.4 or later: "+*old, "update MongoDB"
	}
	if what == "" {
		return err
	}
	return &storeError{s.where, what, hint, err}
}

// isUnanswered reports whether err says why nobody could be asked before the caller's time was over, which is more than that it was.
func isUnanswered(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.As(err, new(topology.ServerSelectionError))
}

// explain says what an error means and what to do, "" if it is not the driver's.
func explain(err error, timeout string) (what, hint string) {
	var selection topology.ServerSelectionError
	var server mongo.ServerError
	var network topology.ConnectionError
	switch {
	case errors.Is(err, mongo.ErrClientDisconnected):
		return "the store is closed", ""
	case errors.As(err, &selection):
		return explainSelection(&selection)
	case authError(err) != "":
		return "the database does not accept user and password (" + authError(err) + ")", "look at both and at authSource in the connection string"
	case isTLS(err) != "":
		return isTLS(err), "compare tls= in the connection string with the server's net.tls, and its certificate with the host's name"
	case errors.As(err, &server) && codeOf(server) != 0:
		return explainServer(server, err)
	case errors.Is(err, context.DeadlineExceeded) || mongo.IsTimeout(err):
		return "no answer within " + timeout, "the database is slow, or the network to it is cut; it is asked again"
	case errors.As(err, &network), mongo.IsNetworkError(err), isNet(err):
		return "the connection was lost (" + cause(err) + ")", "it is asked again"
	}
	return "", ""
}

func explainServer(server mongo.ServerError, err error) (what, hint string) {
	text := fmt.Sprintf("%s (code %d)", err.Error(), codeOf(server))
	if bulk := (mongo.BulkWriteException{}); errors.As(err, &bulk) && len(bulk.WriteErrors) > 0 {
		text = bulkText(bulk.WriteErrors)
	}
	has := server.HasErrorCode
	switch {
	case has(codeUnauthorized):
		return "the user may not do this: " + text, "give it the role readWrite on this database"
	case has(codeAuthentication):
		return "the database does not accept user and password: " + text, "look at both and at authSource in the connection string"
	case has(codeOutOfDisk):
		return "the database has no disk space left: " + text, "make room there; heatlog goes on by itself"
	case has(codeAtlas):
		return "the service refuses: " + text, "if its quota is used up, drop old generations or take a larger plan; heatlog goes on by itself"
	case has(codeTooLarge):
		return "a document is too large: " + text, "let the rules count in larger cells"
	case has(codeMaxTime):
		return "the database took too long: " + text, "it is asked again"
	case isNotPrimary(server):
		return "the member that was asked is not the primary any more: " + text, "the replica set elects one; it is asked again"
	}
	return text, ""
}

// bulkText tells one of a bulk's errors, as it may have thousands: the first that is not a document that was there already.
// It lets go of what the bulk was to write, because an error may be kept.
func bulkText(all []mongo.BulkWriteError) string {
	for i := range all {
		all[i].Request = nil
	}
	one := max(0, slices.IndexFunc(all, func(e mongo.BulkWriteError) bool { return e.Code != codeDuplicate }))
	return fmt.Sprintf("%.1000s (code %d; %d documents have errors)", all[one].Message, all[one].Code, len(all))
}

// isNotPrimary reports whether a member steps down, shuts down or recovers.
func isNotPrimary(e mongo.ServerError) bool {
	return slices.ContainsFunc([]int{91, 189, 10107, 10058, 11600, 11602, 13435, 13436}, e.HasErrorCode)
}

func codeOf(e mongo.ServerError) int {
	codes := e.ErrorCodes()
	if len(codes) == 0 {
		return 0
	}
	return codes[0]
}

// nothingYet is said of a member that was asked and has neither answered nor failed.
const nothingYet = "no answer yet"

// explainSelection says why there is no member to ask.
func explainSelection(e *topology.ServerSelectionError) (what, hint string) {
	var silent []string
	for _, s := range e.Desc.Servers {
		if s.LastError == nil {
			if s.Kind == 0 {
				silent = append(silent, s.Addr.String()+" ("+nothingYet+")")
			}
			continue
		}
		if text := isTLS(s.LastError); text != "" {
			return text, "compare tls= in the connection string with the server's net.tls, and its certificate with the host's name"
		}
		if text := authError(s.LastError); text != "" {
			return "the database does not accept user and password (" + text + ")", "look at both and at authSource in the connection string"
		}
		why := cause(s.LastError)
		if errors.Is(s.LastError, io.EOF) || errors.Is(s.LastError, io.ErrUnexpectedEOF) || errors.Is(s.LastError, syscall.ECONNRESET) {
			why = "it closes the connection at once: does it want TLS, or none? see tls= in the connection string"
		}
		silent = append(silent, fmt.Sprintf("%s (%s)", s.Addr, why))
	}
	switch {
	case len(e.Desc.Servers) == 0:
		return "none of the members is one of the replica set that the connection string names", "compare replicaSet= in it with the name in rs.conf()"
	case len(silent) == len(e.Desc.Servers):
		return "nobody answers at " + strings.Join(silent, ", "), "start MongoDB there, or correct the address; it is asked again"
	case e.Desc.Kind == description.TopologyKindReplicaSetNoPrimary, e.Desc.Kind == description.TopologyKindReplicaSet:
		what = "the replica set has no primary at present"
	default:
		what = "no member can be asked"
	}
	if len(silent) > 0 {
		what += "; nobody answers at " + strings.Join(silent, ", ")
	}
	return what, "it elects one when more than half of its members are up; it is asked again"
}

// authError gives why user and password were not accepted, "" if that is not what happened.
func authError(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		var e driver.Error
		if inner, ok := err.(interface{ Inner() error }); ok && errors.As(inner.Inner(), &e) {
			return fmt.Sprintf("code %d", e.Code)
		}
		if errors.As(err, &e) && e.Code == codeAuthentication {
			return fmt.Sprintf("code %d", e.Code)
		}
	}
	return ""
}

// isTLS says which encryption the two sides do not agree on, "" if that is not what happened.
func isTLS(err error) string {
	var header tls.RecordHeaderError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &header):
		return "the server does not speak TLS"
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return "the server's certificate is not accepted (" + cause(err) + ")"
	case errors.As(err, &alert):
		return "the server refuses the TLS connection (" + cause(err) + ")"
	}
	return ""
}

func isNet(err error) bool {
	var n net.Error
	return errors.As(err, &n)
}

// cause gives the innermost error's text: the driver's own ones hold much that nobody needs.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		if op := (*net.OpError)(nil); errors.As(inner, &op) && op.Err != nil {
			return op.Err.Error()
		}
		err = inner
	}
}
