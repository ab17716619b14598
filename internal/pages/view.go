package pages

import (
	"html/template"
	"net"
	"net/url"
	"strings"
)

// askView, signInView, grantView and messageView are what the templates see: texts are cleaned, lists are cut.
type askView struct {
	frame
	Client                   clientView
	Server, Resource, Action string
	Hidden                   []Field
	Providers                []Choice
}

type signInView struct {
	frame
	Client                          clientView
	Server, Action, Username, Error string
	Hidden                          []Field
}

type grantView struct {
	frame
	Client                        clientView
	Server, Person, Email, Org    string
	Contact, Impersonator, Action string
	Abilities                     []abilityView
	Choosing                      *choosingView
	Problem                       string
	Nothing, Starred              bool
	Hidden                        []Field
	Others                        []otherView
}

// otherView is an Other as it is drawn.
type otherView struct {
	Value, Server string
	Abilities     []abilityView
	Starred       bool
	Choosing      *choosingView
}

type messageView struct {
	frame
	Text, Hint string
	Back       template.URL
	BackTo     string
}

// viewLink is the address of a link, or "" if it has none that leads anywhere. The template's own check knows no schemes of apps.
func viewLink(l Link) template.URL {
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme == "" || u.Opaque != "" || notTargets[strings.ToLower(u.Scheme)] {
		return ""
	}
	return template.URL(l.URL) // its scheme runs nothing
}

// clientView is a client in the words of the pages.
type clientView struct {
	// Who is the best proved answer to the question who that is: the operator's name for it, the domain of its metadata
	// document, or the host its answers go to. Empty means that there is none.
	Who string
	// Name is what it calls itself.
	Name                          text
	Domain, Host                  string
	SetUp, Loopback, CustomScheme bool
	// Elsewhere: its answers go to a host that does not belong to its domain.
	Elsewhere bool
}

func viewClient(c Client) clientView {
	v := clientView{
		Name: clean(c.Name, maxClientName), Domain: hostText(c.Domain), Host: hostText(c.RedirectHost),
		SetUp: c.Origin == SetUp, Loopback: c.Loopback, CustomScheme: c.CustomScheme,
	}
	if v.CustomScheme {
		v.Host = line(strings.TrimSuffix(c.RedirectHost, ":"))
	}
	web := !v.Loopback && !v.CustomScheme
	switch {
	case v.SetUp && v.Name.Text != "":
		v.Who = v.Name.Text
	case v.Domain != "":
		v.Who = v.Domain
	case web:
		v.Who = v.Host
	}
	v.Elsewhere = web && v.Domain != "" && !belongs(v.Host, v.Domain)
	return v
}

// phrase is the client in a title.
func (c clientView) phrase() string {
	switch {
	case c.Who != "":
		return c.Who
	case c.Loopback:
		return "a program on this computer"
	case c.CustomScheme:
		return "an app on this device"
	default:
		return "an app"
	}
}

// Title is the client in a few words that name it alone, for a screen reader.
func (c clientView) Title() string {
	if c.Who == "" && c.Name.Text != "" {
		return c.Name.Text
	}
	return c.phrase()
}

// belongs reports whether a host, with or without a port, is a domain or below it.
func belongs(host, domain string) bool {
	strip := func(s string) string {
		if h, _, err := net.SplitHostPort(s); err == nil {
			s = h
		}
		return strings.ToLower(strings.TrimSuffix(s, "."))
	}
	host, domain = strip(host), strip(domain)
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// The lengths of lists on the grant page.
const (
	// shownItems are shown at once, the rest behind a line that opens, up to maxItems.
	shownItems = 8
	maxItems   = 200
	maxExcept  = 12
	maxGroups  = 20
)

// abilityView is an ability with its list cut in two.
type abilityView struct {
	Title           string
	Items, Rest     []string
	More, RestCount int
	Except          []string
	ExceptMore      int
}

// viewAbilities also reports whether there is a glob among the items.
func viewAbilities(abilities []Ability) (views []abilityView, starred bool) {
	for i, a := range abilities {
		if i == maxGroups {
			views = append(views, abilityView{Title: "and more"})
			break
		}
		v := abilityView{Title: line(a.Title), Items: lines(a.Items), More: a.More, Except: lines(a.Except)}
		if n := len(v.Items); n > maxItems {
			v.More += n - maxItems
			v.Items = v.Items[:maxItems]
		}
		// A line that opens for one or two more would take more room than they do.
		if n := len(v.Items); n > shownItems+2 {
			v.Items, v.Rest = v.Items[:shownItems], v.Items[shownItems:]
			v.RestCount = len(v.Rest) + v.More
		}
		if n := len(v.Except); n > maxExcept {
			v.Except, v.ExceptMore = v.Except[:maxExcept], n-maxExcept
		}
		for _, list := range [][]string{a.Items, a.Except} {
			for _, item := range list {
				starred = starred || strings.Contains(item, "*")
			}
		}
		views = append(views, v)
	}
	return views, starred
}
