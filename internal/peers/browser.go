package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Browser is a person at a browser without a screen: it follows redirects, keeps cookies, fills in the forms it meets and
// presses their buttons. It runs no script, as the pages must not need any. Not safe for concurrent use.
type Browser struct {
	// Answers is what the person types or presses, by the name of the field or button. Hidden fields are sent as they
	// are; of several buttons the one whose value is the answer is pressed, else the first. Of several boxes of one name those are
	// ticked whose values are words of the answer.
	Answers map[string]string
	// Visited is every address the browser asked for, in order.
	Visited []string

	client *http.Client
}

// Page is where a walk ended.
type Page struct {
	URL    *url.URL
	Status int    // of the answer; 0 if the walk was stopped before asking
	Text   string // what a person reads there
}

// maxSteps bounds a walk; a sign-in takes about ten.
const maxSteps = 40

// ErrUnanswered says that a page asked for something that Answers has no answer to.
var ErrUnanswered = errors.New("the page asks for something there is no answer to")

// NewBrowser returns a browser with an empty cookie jar.
func NewBrowser(answers map[string]string) *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // only for options that are not given
	}
	return &Browser{Answers: answers, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Open goes to an address and on through redirects and forms until a page has no form, or until stop says that a redirect
// has reached its goal, which is then not asked for. An answer of 400 and above ends the walk with an error that holds
// the page's text; the page is returned as well.
func (b *Browser) Open(ctx context.Context, address string, stop func(*url.URL) bool) (*Page, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]int)
	for range maxSteps {
		request.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
		request.Header.Set("User-Agent", "Mozilla/5.0 (peers)")
		b.Visited = append(b.Visited, request.URL.String())
		response, err := b.client.Do(request)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		_ = response.Body.Close()
		if err != nil {
			return nil, err
		}
		page := &Page{URL: request.URL, Status: response.StatusCode}

		if response.StatusCode >= 300 && response.StatusCode < 400 {
			next, err := request.URL.Parse(response.Header.Get("Location"))
			if err != nil {
				return page, fmt.Errorf("%s redirects to nowhere: %w", request.URL, err)
			}
			if stop != nil && stop(next) {
				return &Page{URL: next}, nil
			}
			if request, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil); err != nil {
				return page, err
			}
			continue
		}
		document, err := html.Parse(strings.NewReader(string(body)))
		if err != nil {
			return page, err
		}
		page.Text = strings.Join(strings.Fields(readable(document)), " ")
		if response.StatusCode >= 400 {
			return page, fmt.Errorf("%s answered %s: %s", request.URL, response.Status, page.Text)
		}
		form := b.choose(document)
		if form == nil {
			return page, nil
		}
		values, err := b.fill(document, form)
		if err != nil {
			return page, fmt.Errorf("%s: %w: %s", request.URL, err, page.Text)
		}
		if request, err = submit(ctx, request.URL, form, values, response.Header.Get("Referrer-Policy")); err != nil {
			return page, err
		}
		key := request.URL.String() + " " + values.Encode()
		if seen[key]++; seen[key] > 1 {
			return page, fmt.Errorf("%s asks the same thing again: %s", page.URL, page.Text)
		}
	}
	return nil, fmt.Errorf("no end after %d pages, the last %s", maxSteps, request.URL)
}

// choose finds the form to answer: the first one with a field or button that there is an answer for, else the first.
func (b *Browser) choose(document *html.Node) *html.Node {
	var first *html.Node
	for form := range elements(document, "form") {
		if first == nil {
			first = form
		}
		for control := range controls(document, form, "input", "button") {
			if _, ok := b.Answers[attribute(control, "name")]; ok {
				return form
			}
		}
	}
	return first
}

// fill makes the form's values, as a browser would send them.
func (b *Browser) fill(document, form *html.Node) (url.Values, error) {
	values := make(url.Values)
	var pressed *html.Node
	for control := range controls(document, form, "input", "button", "select", "textarea") {
		name, kind := attribute(control, "name"), strings.ToLower(attribute(control, "type"))
		answer, answered := b.Answers[name]
		switch {
		case control.Data == "button" || kind == "submit" || kind == "image":
			if pressed == nil || (answered && attribute(control, "value") == answer) {
				pressed = control
			}
		case name == "" || kind == "button" || kind == "reset":
		case kind == "hidden":
			values.Add(name, attribute(control, "value"))
		case kind == "checkbox" || kind == "radio":
			value := attribute(control, "value")
			if (answered && (value == answer || kind == "checkbox" && slices.Contains(strings.Fields(answer), value))) || (!answered && has(control, "checked")) {
				values.Add(name, value)
			}
		case answered:
			values.Add(name, answer)
		case has(control, "required"):
			return nil, fmt.Errorf("%w: %q", ErrUnanswered, name)
		default:
			values.Add(name, attribute(control, "value"))
		}
	}
	if name := attribute(pressed, "name"); name != "" {
		values.Add(name, attribute(pressed, "value"))
	}
	return values, nil
}

// submit makes the request of a form, with the headers by which servers tell their own pages from others'.
func submit(ctx context.Context, page *url.URL, form *html.Node, values url.Values, referrerPolicy string) (*http.Request, error) {
	target, err := page.Parse(attribute(form, "action"))
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(attribute(form, "method"), http.MethodPost) {
		target.RawQuery = values.Encode()
		return http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	origin := page.Scheme + "://" + page.Host
	site := "cross-site"
	if target.Scheme == page.Scheme && target.Host == page.Host {
		site = "same-origin"
	}
	if referrerPolicy == "no-referrer" {
		origin = "null" // Fetch standard, "append a request Origin header"
	} else {
		request.Header.Set("Referer", page.String())
	}
	request.Header.Set("Origin", origin)
	request.Header.Set("Sec-Fetch-Site", site)
	request.Header.Set("Sec-Fetch-Mode", "navigate")
	request.Header.Set("Sec-Fetch-Dest", "document")
	return request, nil
}

// controls walks the controls of a form that have one of the names: those within it, and then those elsewhere that say they are its own.
func controls(document, form *html.Node, names ...string) func(func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for node := range elements(form, names...) {
			if !yield(node) {
				return
			}
		}
		id := attribute(form, "id")
		for node := range elements(document, names...) {
			if id != "" && attribute(node, "form") == id && !yield(node) {
				return
			}
		}
	}
}

// elements walks the descendants of a node that have one of the names, in document order.
func elements(root *html.Node, names ...string) func(func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for node := range root.Descendants() {
			if node.Type == html.ElementNode && slices.Contains(names, node.Data) && !yield(node) {
				return
			}
		}
	}
}

// readable collects the text of a document but for its styles and scripts.
func readable(document *html.Node) string {
	var text strings.Builder
	for node := range document.Descendants() {
		if node.Type == html.TextNode && node.Parent.Data != "style" && node.Parent.Data != "script" {
			text.WriteString(node.Data)
			text.WriteByte(' ')
		}
	}
	return text.String()
}

func attribute(node *html.Node, name string) string {
	if node == nil {
		return ""
	}
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(node *html.Node, name string) bool {
	return slices.ContainsFunc(node.Attr, func(a html.Attribute) bool { return a.Key == name })
}
