package schemagen

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// Docs finds the doc comments of types and fields in their sources: at run time
// there are none.
type Docs struct {
	root, module string
	packages     map[string]map[string]typeDoc // by import path, by type
}

type typeDoc struct {
	text   string
	fields map[string]string // by Go name
	keys   map[string]string // by Go name: the key in YAML
}

// NewDocs returns the comments of a module's packages; root is its folder.
func NewDocs(root, module string) *Docs {
	return &Docs{root: root, module: module, packages: map[string]map[string]typeDoc{}}
}

// field describes a field of a struct that is written under key; empty when
// nothing is said of it.
func (d *Docs) field(owner reflect.Type, name, key string) (string, error) {
	doc, err := d.of(owner)
	if err != nil {
		return "", err
	}
	return wordsOf(doc.fields[name], name, key, doc.keys), nil
}

// typ describes a type that is written under key.
func (d *Docs) typ(t reflect.Type, key string) (string, error) {
	doc, err := d.of(t)
	if err != nil {
		return "", err
	}
	return wordsOf(doc.text, t.Name(), key, doc.keys), nil
}

func (d *Docs) of(t reflect.Type) (typeDoc, error) {
	path := t.PkgPath()
	below, ours := strings.CutPrefix(path, d.module+"/")
	if !ours {
		return typeDoc{}, nil
	}
	if types, ok := d.packages[path]; ok {
		return types[t.Name()], nil
	}
	types := map[string]typeDoc{}
	names, err := filepath.Glob(filepath.Join(d.root, filepath.FromSlash(below), "*.go"))
	if err != nil {
		return typeDoc{}, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return typeDoc{}, fmt.Errorf("read the comments of %s: %w", path, err)
		}
		readTypes(file, types)
	}
	d.packages[path] = types
	return types[t.Name()], nil
}

func readTypes(file *ast.File, into map[string]typeDoc) {
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.TYPE {
			continue
		}
		for _, spec := range general.Specs {
			named, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			doc := typeDoc{fields: map[string]string{}, keys: map[string]string{}}
			if doc.text = named.Doc.Text(); doc.text == "" {
				doc.text = general.Doc.Text()
			}
			if fields, ok := named.Type.(*ast.StructType); ok {
				readFields(fields, doc)
			}
			into[named.Name.Name] = doc
		}
	}
}

// readFields takes a field's comment above it or behind it. One without a
// comment has that of the field above it, when that names it too.
func readFields(fields *ast.StructType, doc typeDoc) {
	above := ""
	for _, field := range fields.Fields.List {
		text := field.Doc.Text()
		if text != "" {
			above = text
		} else {
			text = field.Comment.Text()
		}
		for _, name := range field.Names {
			own := text
			if own == "" && regexp.MustCompile(`\b`+name.Name+`\b`).MatchString(above) {
				own = above
			}
			doc.fields[name.Name] = own
			if field.Tag != nil {
				tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml")
				doc.keys[name.Name], _, _ = strings.Cut(tag, ",")
			}
		}
	}
}

// wordsOf makes of a Go comment a description for those who write YAML: fields
// are called by their keys. A word that opens a sentence is left alone, but for
// the first of all and for names that are no words, as MaxTables.
func wordsOf(comment, name, key string, keys map[string]string) string {
	paragraphs := strings.Split(strings.TrimSpace(comment), "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	text := strings.Join(paragraphs, "\n\n")
	first, rest, _ := strings.Cut(text, " ")
	if opening := strings.TrimSuffix(first, ","); opening == name && key != "" {
		text = "`" + key + "`" + first[len(opening):] + " " + rest
	} else if named := keys[opening]; named != "" && named != "-" {
		text = "`" + named + "`" + first[len(opening):] + " " + rest
	}
	identifier := regexp.MustCompile(`\b[A-Z][a-z]+[A-Za-z0-9]*\b`)
	compound := regexp.MustCompile(`[a-z][A-Z]`)
	var b strings.Builder
	at := 0
	for _, m := range identifier.FindAllStringIndex(text, -1) {
		word, before := text[m[0]:m[1]], text[:m[0]]
		opens := before == "" || strings.HasSuffix(before, ". ") || strings.HasSuffix(before, ": ") || strings.HasSuffix(before, "\n")
		named := keys[word] != "" && keys[word] != "-" && (!opens || compound.MatchString(word))
		if !named || strings.HasSuffix(before, "`") || strings.HasSuffix(before, ".") {
			continue
		}
		b.WriteString(text[at:m[0]] + "`" + keys[word] + "`")
		at = m[1]
	}
	return b.String() + text[at:]
}
