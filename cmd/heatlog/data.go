package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"heatlog/collector"
	"heatlog/journal"
)

// dataDir is the folder that holds everything that a server keeps:
//
//	journal/       the hits, in order
//	store/         what was counted from them, unless that is in a database
//	place.json     where the journal was written last, for starts at which the database is out of reach
//	sites.json     the sites
//	token          the admin token, mode 0600
//	key            32 random bytes that sign links of sign-in and overlays, mode 0600
//	sessions.json  who is signed in, as hashes that open nothing, mode 0600
//	salts.json     the secrets of the days that visitors are hashed with, mode 0600
type dataDir string

func (d dataDir) journal() string  { return filepath.Join(string(d), "journal") }
func (d dataDir) store() string    { return filepath.Join(string(d), "store") }
func (d dataDir) sites() string    { return filepath.Join(string(d), "sites.json") }
func (d dataDir) token() string    { return filepath.Join(string(d), "token") }
func (d dataDir) key() string      { return filepath.Join(string(d), "key") }
func (d dataDir) sessions() string { return filepath.Join(string(d), "sessions.json") }
func (d dataDir) salts() string    { return filepath.Join(string(d), "salts.json") }

// create makes the folder where it is absent.
func (d dataDir) create() error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return withHint(fmt.Errorf("create data folder: %w", err), "choose another folder with --data DIR")
	}
	return nil
}

// readToken gives the token of the folder, "" if it has none.
func (d dataDir) readToken() (string, error) {
	b, err := os.ReadFile(d.token())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", withHint(fmt.Errorf("read token %s: it has characters that no request can send", d.token()),
			"remove the file and start again: a new token is made, nothing else changes")
	}
	return token, nil
}

// ensureToken gives the token of the folder and makes one where there is none.
func (d dataDir) ensureToken() (string, error) {
	token, err := d.readToken()
	if err != nil || token != "" {
		return token, err
	}
	random := make([]byte, 20)
	rand.Read(random)
	token = hex.EncodeToString(random)
	if err := replaceFile(d.token(), []byte(token+"\n")); err != nil {
		return "", fmt.Errorf("write token: %w", err)
	}
	return token, nil
}

// keyBytes is the length of the key.
const keyBytes = 32

// readKey gives the key of the folder, nil if it has none.
func (d dataDir) readKey() ([]byte, error) {
	key, err := os.ReadFile(d.key())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read key: %w", err)
	case len(key) != keyBytes:
		return nil, withHint(fmt.Errorf("read key %s: it is %d bytes, want %d", d.key(), len(key), keyBytes),
			"remove the file and start again: links of sign-in and overlays that are open end, nothing else")
	}
	return key, nil
}

// ensureKey gives the key of the folder and makes one where there is none.
func (d dataDir) ensureKey() ([]byte, error) {
	key, err := d.readKey()
	if err != nil || key != nil {
		return key, err
	}
	key = make([]byte, keyBytes)
	rand.Read(key)
	if err := replaceFile(d.key(), key); err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return key, nil
}

// sessionFile keeps who is signed in across restarts.
type sessionFile string

// Load gives what was saved, nil where nothing was.
func (f sessionFile) Load() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save replaces what was saved.
func (f sessionFile) Save(b []byte) error { return replaceFile(string(f), b) }

// openSites reads the register of sites.
func (d dataDir) openSites() (*collector.Sites, error) {
	sites, err := collector.OpenSites(d.sites())
	if err != nil && !isForbidden(err) {
		return nil, withHint(err, "put a copy of %[1]s back, or remove it to begin without sites; recorded hits stay", d.sites())
	}
	return sites, hintForFolder(d, err)
}

// isForbidden reports whether err says that this user may not read or write something.
func isForbidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// hintForFolder says who must own a data folder if err is that something in it may not be read or written. It leaves an
// error that has a hint, and one about something else, as it is.
func hintForFolder(d dataDir, err error) error {
	p := (*fs.PathError)(nil)
	if !isForbidden(err) || !errors.As(err, &p) || errors.As(err, new(*hintError)) {
		return err
	}
	if in, relErr := filepath.Rel(string(d), p.Path); relErr != nil || !filepath.IsLocal(in) {
		return err
	}
	if errors.Is(err, syscall.EROFS) {
		return withHint(err, "data folder %s is on a file system that is mounted read-only; --data DIR names another folder", d)
	}
	return withHint(err, "data folder %[1]s and all in it must belong to the user who runs heatlog, as after chown -R USER %[1]s; --data DIR names another folder", d)
}

// replaceFile puts a file in place at once, so that no crash leaves half of one, readable by its owner only.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// lock takes the lock that a running server holds, for a change to the folder without one.
func (d dataDir) lock() (unlock func() error, err error) {
	if err := os.MkdirAll(d.journal(), 0o755); err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	l, err := journal.OS{}.Lock(filepath.Join(d.journal(), "LOCK"))
	if errors.Is(err, journal.ErrLocked) {
		return nil, withHint(fmt.Errorf("data folder %s is in use by a server at another address: %w", d, err),
			"give that server's address with --url")
	}
	if err != nil {
		return nil, fmt.Errorf("lock data folder %s: %w", d, err)
	}
	return l.Close, nil
}
