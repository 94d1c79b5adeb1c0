// SPDX-License-Identifier: Apache-2.0
package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	check(os.MkdirAll("t/a/b", 0o755))
	f, err := os.Create("t/a/lines")
	check(err)
	w := bufio.NewWriter(f)
	for i := 0; i < 1000; i++ {
		fmt.Fprintf(w, "line %d\n", i)
	}
	check(w.Flush())
	check(f.Sync())
	_, err = f.Seek(-4, io.SeekEnd)
	check(err)
	tail, _ := io.ReadAll(f)
	fmt.Printf("%q\n", tail)
	check(f.Truncate(20))
	check(f.Close())
	check(os.Rename("t/a/lines", "t/a/b/moved"))
	check(os.Symlink("b/moved", "t/a/link"))
	st, err := os.Stat("t/a/link")
	check(err)
	fmt.Println(st.Size(), st.Mode())
	check(os.Chmod("t/a/b/moved", 0o600))
	check(os.Chtimes("t/a/b/moved", time.Unix(1, 0), time.Unix(1000000000, 0)))
	st, _ = os.Lstat("t/a/b/moved")
	fmt.Println(st.Mode(), st.ModTime().UTC())
	check(filepath.WalkDir("t", func(p string, d fs.DirEntry, err error) error {
		fmt.Println(p, d.IsDir())
		return err
	}))
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	io.WriteString(g, "compressed text")
	g.Close()
	r, err := gzip.NewReader(&z)
	check(err)
	text, _ := io.ReadAll(r)
	fmt.Println(string(text))
	zf, _ := os.Create("t/x.zip")
	zw := zip.NewWriter(zf)
	e, _ := zw.Create("e.txt")
	io.WriteString(e, "entry")
	zw.Close()
	zf.Close()
	zr, err := zip.OpenReader("t/x.zip")
	check(err)
	fmt.Println(zr.File[0].Name, zr.File[0].UncompressedSize64)
	zr.Close()
	in, _ := os.Open("t/a/b/moved")
	out, _ := os.Create("t/copy")
	n, err := io.Copy(out, in)
	fmt.Println(n, err)
	h := sha256.Sum256([]byte("sandgate"))
	fmt.Println(hex.EncodeToString(h[:]))
	_, err = os.Open("none")
	fmt.Println(errors.Is(err, fs.ErrNotExist), err)
	tmp, err := os.CreateTemp("", "go-*")
	check(err)
	fmt.Println(filepath.Dir(tmp.Name()) == os.Getenv("TMPDIR"), len(os.Args))
	check(os.Remove(tmp.Name()))
	check(os.RemoveAll("t"))
	home, _ := os.UserHomeDir()
	wd, _ := os.Getwd()
	fmt.Println(home == os.Getenv("HOME"), wd != "", os.Getpid() > 0)
}
