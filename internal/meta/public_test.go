package meta

import (
	"go/ast"
	"slices"
)

// public are the packages that other modules import.
var public = []string{"chat", "node", "node/nodetest", "dht", "api/client"}

func isPublic(f *file) bool { return slices.Contains(public, f.dir()) }

// documented: whoever embeds Parley reads what a name promises, not its code.
func documented(t *tree) (bad []string) {
	for _, f := range t.goFiles(product, isPublic) {
		for _, d := range f.ast.Decls {
			for _, name := range undocumented(d) {
				bad = append(bad, t.at(name.Pos(), "%s has no doc comment", name.Name))
			}
		}
	}
	return bad
}

// undocumented lists the exported names that a declaration leaves without a word. In a group a line
// of its own is enough, or one over the whole group.
func undocumented(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && !ofUnexported(d) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if d.Doc == nil && s.Doc == nil && s.Name.IsExported() {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if d.Doc == nil && s.Doc == nil && s.Comment == nil && n.IsExported() {
						names = append(names, n)
					}
				}
			}
		}
	}
	return names
}

// ofUnexported reports whether a method is of a type that nobody outside can
// name; what such a type lends to others is seen there.
func ofUnexported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if gen, ok := t.(*ast.IndexExpr); ok {
		t = gen.X
	}
	id, ok := t.(*ast.Ident)
	return ok && !id.IsExported()
}
