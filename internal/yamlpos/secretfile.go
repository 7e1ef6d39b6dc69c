package yamlpos

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// maxSecretBytes bounds the file of a secret; a private key has a few kB.
const maxSecretBytes = 64 << 10

// secretFile fills the secret v from the file that the key x_file names. The
// path is relative to the folder of the document. One final line break is not
// part of the secret.
func (dec *decoder) secretFile(all []entry, e entry, v reflect.Value, path string) {
	base := strings.TrimSuffix(e.name, fileSuffix)
	for _, other := range all {
		if other.name == base && !dec.d.isNull(other.value) {
			dec.report(e.key, path, "keep one", "%s and %s are both given", base, e.name)
			return
		}
	}
	var name string
	dec.value(e.value, reflect.ValueOf(&name).Elem(), path)
	if name == "" {
		return
	}
	file := dec.d.relative(name)
	data, reason := readSecret(file)
	if dec.d.readFile != nil {
		dec.d.readFile(file, data)
	}
	content := ""
	if reason == "" {
		content, reason = secretOf(data)
	}
	if reason != "" {
		dec.refuse(e.value, path, "", "cannot read %s: %s", dec.quoted(e.value), reason)
		return
	}
	holder := reflect.New(structType(v.Type()))
	if reader, ok := holder.Interface().(scalarReader); ok {
		if err := reader.FromScalar(content); err != nil {
			dec.refuse(e.value, path, "", "the content of the file is not valid")
			return
		}
	}
	if v.Kind() == reflect.Pointer {
		v.Set(holder)
	} else {
		v.Set(holder.Elem())
	}
}

// relative finds a file that the document names.
func (d *Document) relative(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(d.text.name), name)
}

func readSecret(name string) (data []byte, failed string) {
	switch info, err := os.Stat(name); {
	case err != nil:
		return nil, reason(err)
	case !info.Mode().IsRegular():
		return nil, "not a regular file" // a pipe would keep us waiting
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = f.Close() }() // only read: nothing can be lost
	data, err = io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	switch {
	case err != nil:
		return nil, reason(err)
	case len(data) > maxSecretBytes:
		return nil, "larger than 64 kB"
	}
	return data, ""
}

func secretOf(data []byte) (content, failed string) {
	content = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if content == "" {
		return "", "the file is empty"
	}
	return content, ""
}

// reason is an error of the file system without the path, which the message
// has already or must not have.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
