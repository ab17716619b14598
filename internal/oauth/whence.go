package oauth

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// A person who looks at what acts in their name should be able to tell their own sign-ins from somebody else's. Roughly is enough for that:
// what kind of browser, and the network. All words are ours, so that nothing of what was sent is kept or shown.

// browsers and systems are told by what stands in a User-Agent; the first that is found counts, as most claim to be others besides.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
	systems  = [][2]string{
		{"iPhone", "an iPhone"}, {"iPad", "an iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"}, {"Mac OS X", "a Mac"}, {"Linux", "Linux"},
	}
)

// whence says roughly from where a request comes, such as "Firefox on Linux, from 203.0.113.x"; "" if nothing is known.
func whence(r *http.Request) string {
	agent := r.UserAgent()
	text := familiar(agent, browsers)
	if system := familiar(agent, systems); system != "" {
		if text == "" {
			text = "a browser"
		}
		text += " on " + system
	}
	network := network(remotePrefix(r).Addr())
	switch {
	case network == "":
		return text
	case text == "":
		return "an unknown browser, from " + network
	default:
		return text + ", from " + network
	}
}

// familiar finds the first of some marks in a text, and returns its name.
func familiar(text string, marks [][2]string) string {
	for _, m := range marks {
		if strings.Contains(text, m[0]) {
			return m[1]
		}
	}
	return ""
}

// network is the network of an address, without what tells its hosts apart; "" for one that says nothing to anybody else.
func network(ip netip.Addr) string {
	switch {
	case !ip.IsValid() || ip.IsLoopback() || ip.IsUnspecified():
		return ""
	case ip.Is4():
		b := ip.As4()
		return strconv.Itoa(int(b[0])) + "." + strconv.Itoa(int(b[1])) + "." + strconv.Itoa(int(b[2])) + ".x"
	default:
		p, err := ip.Prefix(48)
		if err != nil {
			return ""
		}
		return p.String()
	}
}
