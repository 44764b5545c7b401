package meta

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
)

var (
	must = regexp.MustCompile(`\bMUST\b`)
	// mustTag ends the sentence of a MUST and is its name for ever, as in "It MUST be so. [M7]".
	mustTag = regexp.MustCompile(`\[(M[0-9]+)\]`)
	// sentenceEnd is where one sentence ends and the next begins.
	sentenceEnd = regexp.MustCompile("[.:] [A-Z*`‖]")
	pageHeading = regexp.MustCompile(`^#+ ([0-9]+(?:\.[0-9]+)*)\.?\s`)
	numbered    = regexp.MustCompile(`^[0-9]+-`)
	testName    = regexp.MustCompile(`^(Test|Fuzz)`)
)

// requirement is one MUST of a page, or a few in one sentence that one test proves.
type requirement struct{ page, section, tag, sentence, at string }

// mustsAreTested: each MUST in docs/protocol carries a tag, and a test cites it.
func mustsAreTested(t *tree) (bad []string) {
	cited := citedInTests(t)
	for _, f := range t.files {
		page, ok := protocolPage(f)
		if !ok || !numbered.MatchString(page) {
			continue
		}
		all, wrong := requirements(f, page)
		bad = append(bad, wrong...)
		if all == nil {
			bad = append(bad, fmt.Sprintf("%s: a page without a MUST binds nobody", f.path))
		}
		for _, r := range all {
			if ref := r.page + " " + r.tag; !cited[ref] {
				bad = append(bad, fmt.Sprintf("%s §%s: no test cites it with \"spec: %s\": %s", r.at, r.section, ref, r.sentence))
			}
		}
	}
	return bad
}

// citedInTests lists what is cited above Go tests and fuzz targets, as "02-hello M7". Elsewhere
// a citation does not say that the rule is held, and other languages test their own programs.
func citedInTests(t *tree) map[string]bool {
	cited := make(map[string]bool)
	for _, f := range t.files {
		if f.ast == nil || !f.isTest() || f.under("internal/meta") {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Doc == nil || !testName.MatchString(fn.Name.Name) {
				continue
			}
			for _, line := range fn.Doc.List {
				for _, ref := range citations(line.Text) {
					cited[ref] = true
				}
			}
		}
	}
	return cited
}

// requirements reads the MUSTs of a page. A block of text is one line; code is passed over.
func requirements(f *file, page string) (all []requirement, bad []string) {
	section, code, seen := "0", false, make(map[string]string)
	for i, line := range strings.Split(string(f.text), "\n") {
		at := fmt.Sprintf("%s:%d", f.path, i+1)
		if m := pageHeading.FindStringSubmatch(line); m != nil {
			section = m[1]
		}
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if code || strings.HasPrefix(line, "    ") {
			continue
		}
		begin := 0
		for _, m := range mustTag.FindAllStringSubmatchIndex(line, -1) {
			sentence, tag := line[begin:m[0]], line[m[2]:m[3]]
			begin = m[1]
			bad = append(bad, oneSentence(at, tag, sentence)...)
			if before := seen[tag]; before != "" {
				bad = append(bad, fmt.Sprintf("%s: %s is also the tag of %s", at, tag, before))
			}
			seen[tag] = at
			all = append(all, requirement{page, section, tag, lastSentence(sentence), at})
		}
		if rest := line[begin:]; must.MatchString(rest) {
			bad = append(bad, fmt.Sprintf("%s §%s: a MUST without a tag: %s", at, section, strings.TrimSpace(rest)))
		}
	}
	return all, bad
}

// oneSentence: a tag stands for the MUSTs of the sentence before it, and for no others.
func oneSentence(at, tag, text string) []string {
	places := must.FindAllStringIndex(text, -1)
	if places == nil {
		return []string{fmt.Sprintf("%s: %s stands behind no MUST", at, tag)}
	}
	if sentenceEnd.MatchString(text[places[0][0]:places[len(places)-1][1]]) {
		return []string{fmt.Sprintf("%s: %s stands for the MUSTs of several sentences: each has its own tag", at, tag)}
	}
	return nil
}

// lastSentence is the one that holds the MUST, for the finding.
func lastSentence(text string) string {
	first := must.FindStringIndex(text)
	if first == nil {
		return strings.TrimSpace(text)
	}
	begin := 0
	for _, m := range sentenceEnd.FindAllStringIndex(text[:first[0]], -1) {
		begin = m[0] + 2
	}
	return strings.Trim(text[begin:], " |*")
}
