package fetch

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ErrURL says that an address is not one that documents are fetched from.
var ErrURL = errors.New("fetch: an address has to be https, of a domain name in lower case, at port 443 or above 1023, without user info and fragment")

// maxHost is the longest name that can be looked up (RFC 1035 section 2.3.4, without the dot at the end).
const maxHost = 253

// CheckURL parses an address that a stranger has named. The error is ErrURL.
//
// A host is a name, since names are what people are shown and operators allow; of ports below 1024 only 443, since what listens at
// the others speaks other protocols, which should not hear from us.
func CheckURL(raw string) (*url.URL, error) {
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c > '~' || c == '\\' || c == '#' {
			return nil, ErrURL
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Opaque != "" || u.User != nil || !strings.HasPrefix(raw, "https://") || !domainName(u.Hostname()) {
		return nil, ErrURL
	}
	switch host := u.Hostname(); {
	case u.Host == host:
	case strings.TrimPrefix(u.Host, host+":") == u.Port():
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port < 1024 && port != 443 || u.Port()[0] == '0' {
			return nil, ErrURL
		}
	default:
		return nil, ErrURL
	}
	return u, nil
}

// domainName reports whether a host is a name as it is looked up: labels of letters, digits and hyphens, in lower case. One that ends
// in a number is an address to some resolvers, in one of many spellings.
func domainName(host string) bool {
	if host == "" || len(host) > maxHost {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	var last string
	for last = range strings.SplitSeq(host, ".") {
		if last == "" || len(last) > 63 || last[0] == '-' || last[len(last)-1] == '-' {
			return false
		}
		for i := range len(last) {
			if c := last[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}
