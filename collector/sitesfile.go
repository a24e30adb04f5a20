package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"heatlog/heatmap"
)

// sitesVersion is the version of the file's format.
const sitesVersion = 1

// sitesFile is the file of the register.
type sitesFile struct {
	Version int        `json:"version"`
	Sites   []siteLine `json:"sites"`
}

type siteLine struct {
	heatmap.Site
	Used bool `json:"used"` // hits of it are in the journal
}

// OpenSites reads the register at path; where there is no file it is empty, and the first Put makes one. A file that
// cannot be understood is an error and is left as it is.
func OpenSites(path string) (*Sites, error) {
	entries, err := readSites(path)
	if err != nil {
		return nil, fmt.Errorf("read sites %s: %w", path, err)
	}
	s := &Sites{path: path}
	s.table.Store(newSiteTable(entries))
	return s, nil
}

func readSites(path string) ([]*siteEntry, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var f sitesFile
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON")
	}
	if f.Version != sitesVersion {
		return nil, fmt.Errorf("version is %d, want %d", f.Version, sitesVersion)
	}
	return siteEntries(f.Sites)
}

func siteEntries(lines []siteLine) ([]*siteEntry, error) {
	var entries []*siteEntry
	keys := map[string]bool{}
	for _, line := range lines {
		e, err := newSiteEntry(line.Site)
		if err != nil {
			return nil, fmt.Errorf("site %q: %w", line.Key, err)
		}
		if keys[line.Key] {
			return nil, fmt.Errorf("site %q is there twice", line.Key)
		}
		keys[line.Key] = true
		e.used.Store(line.Used)
		entries = append(entries, e)
	}
	return entries, nil
}

// writeSites replaces the file at path so that after a crash it is the old or the new one.
func writeSites(path string, entries []*siteEntry) error {
	f := sitesFile{Version: sitesVersion}
	for _, e := range entries {
		f.Sites = append(f.Sites, siteLine{e.site, e.used.Load()})
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := writeSynced(tmp, append(b, '\n')); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
