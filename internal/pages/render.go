package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

//go:embed style.css
var styleSheet string

//go:embed templates/*.html
var templates embed.FS

// New returns the pages.
func New() *Pages {
	parse := func(name string) *template.Template {
		return template.Must(template.New("page").Funcs(template.FuncMap{"breakable": breakable}).ParseFS(templates, "templates/page.html", "templates/choosing.html", "templates/asking.html", "templates/abilities.html", "templates/"+name+".html")).Lookup("page")
	}
	// White space at the start of a line is most of a style sheet, and it is sent with every page.
	style := regexp.MustCompile(`\n\s*`).ReplaceAllString(strings.TrimSpace(styleSheet), "\n")
	sum := sha256.Sum256([]byte(style))
	return &Pages{
		ask: parse("ask"), signIn: parse("signin"), organization: parse("organization"), grant: parse("grant"), message: parse("message"), welcome: parse("welcome"), connections: parse("connections"), change: parse("change"), approve: parse("approve"),
		style:     template.CSS(style), // our own file, and no template value reaches it
		styleHash: "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
	}
}

// frame is what every page has.
type frame struct {
	Title string
	// Place is the server the page is about; it may be empty.
	Place string
	Foot  string
	Style template.CSS
}

// write draws a page as a whole before it sends anything, so that half a page never has a button.
func (p *Pages) write(w http.ResponseWriter, status int, formTargets []string, t *template.Template, f *frame, view any) {
	f.Style = p.style
	var page bytes.Buffer
	if err := t.Execute(&page, view); err != nil {
		// Only a mistake in a template gets here; the tests draw every branch of them.
		http.Error(w, "This page can't be shown.", http.StatusInternalServerError)
		return
	}
	setHeaders(w.Header(), p.styleHash, formTargets)
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // a browser that has gone away needs no page
}

// setHeaders says what a browser may do with a page: show it, to this person, by itself, and post its form.
func setHeaders(h http.Header, styleHash string, formTargets []string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'none'",
		"style-src " + styleHash,
		"base-uri 'none'",
		"form-action " + strings.Join(append([]string{"'self'"}, validSources(formTargets)...), " "),
		// Nobody may lay a page of theirs over ours and have the person press our button (RFC 9700 §4.16).
		"frame-ancestors 'none'",
	}, "; "))
	// For browsers that don't know frame-ancestors (RFC 7034).
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	// The addresses of these pages and what they are about are nobody else's business, so no other origin gets a Referer.
	// no-referrer would go one step too far: with it browsers send `Origin: null` when our form is posted to ourselves
	// (Fetch, "append a request Origin header"), and we could no longer tell our own form from another site's.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// No Cross-Origin-Opener-Policy: clients on the web open these pages in a popup and wait for it to come back to a page
	// of their own, which must still find its opener.
}

// source is the form of the CSP sources that are let into form-action: a scheme, or a scheme and a host with a port or a
// star for it. Anything else could end the directive and begin another one.
var source = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:(//[a-zA-Z0-9.-]+(:([0-9]{1,5}|\*))?)?$`)

// notTargets are schemes that run or show what they carry instead of leading anywhere.
var notTargets = map[string]bool{"javascript": true, "data": true, "vbscript": true, "blob": true, "filesystem": true, "about": true}

func validSources(targets []string) []string {
	var out []string
	for _, t := range targets {
		scheme, _, _ := strings.Cut(t, ":")
		if source.MatchString(t) && !notTargets[strings.ToLower(scheme)] {
			out = append(out, t)
		}
	}
	return out
}
