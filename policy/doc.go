// Package policy decides what an MCP client may see and use on behalf of a person: which tools, prompts, resources and
// resource templates of which server.
//
// A policy is written in YAML (or, with the same keys, in JSON):
//
//	roles:
//	  member:
//	    allow:
//	      - server: github
//	        tools: [get_*, list_*]
//	  engineer:
//	    inherit: [member]
//	    allow:
//	      - server: github
//	        tools: [create_issue, merge_pull_request]
//	        when: args.owner == "acme"
//	        limit: 30/m per user
//	    ask:
//	      - server: github
//	        tools: [merge_pull_request]
//	    deny:
//	      - tools: [delete_*]
//	everyone:
//	  allow:
//	    - server: status
//	      tools: ["*"]
//
// [Parse] reads it into a [Document], [Compile] turns the document into an immutable [Policy], [Policy.View] picks what
// applies to one [Subject] at one server, and [View.Judge] answers for one name and what is known of the call. The same Judge
// answers whether an entry of a list may be shown, when the arguments are not known, and whether it may be used: what it
// allows with some arguments it shows without them.
//
// # What a policy means
//
// Everything that no rule allows is denied. A deny rule beats every other, wherever the two are written; an ask rule beats
// every allow rule, and allows nothing by itself. A person has the rules of everyone, of their roles and of their
// permissions, each with what it inherits: the rules of other roles. Of the allow rules that match, one without a limit
// counts, and else the one whose limit leaves most. A machine client has no share in everyone. A rule with an org applies only to people of that organization.
//
// A rule with a when or with annotations applies only where they are met. Where they can't be judged (an argument that is not
// there, annotations of a server whose word is not trusted), an allow rule does not match, and ask and deny rules do. While a
// list is made, a condition that the arguments decide hides nothing. A call whose arguments have a name in two spellings, of
// which a condition asks for one, is not allowed: see [Decision.Variant].
//
// Names are compared exactly, by code point: neither case nor Unicode normalisation makes two names one. In names of servers,
// tools and prompts * stands for any run of characters. In URIs and URI templates * stops at a slash and ** does not. There are
// no other wildcards, and a pattern that looks as if it had some is an error.
//
// Deny rules match a URI also in other spellings of it (percent-encoded, with doubled slashes, without the slash after a
// host, with a fragment), allow rules only as it is written. An exact deny does not cover the same URI with a query: end it
// with **. Only a file is the same with whatever query. No wildcard of an allow rule stands for a ? or #, except the one at the
// very end: `file:///srv/**/*.md` does not allow `file:///srv/key?.md`.
//
// # What no rule can allow
//
// A URI that two readers could understand differently is denied whatever the rules say, so that not even ** shows it:
//
//   - with a space or control character, a backslash, a dot segment, user info, or capitals in the scheme;
//   - with a % that begins no encoding of UTF-8, with an encoded slash, dot, backslash or control character, or with an encoded %
//     before a hex digit or another encoding;
//   - of http, https, ws, wss, ftp or file with a host in another form than parsers of the WHATWG URL Standard give it: with
//     capitals, with something encoded or outside ASCII, with a dot at its end, or an IPv4 address in other than four decimal
//     numbers;
//   - of any scheme with an IPv6 address in another form than that of RFC 5952, with a port that is empty, begins with a
//     needless zero or is the scheme's own;
//   - of file with a relative path, the host localhost or a vertical bar.
//
// A server that lists such URIs has to write them properly before people can see them: a space as %20, a percent sign as %25,
// a host in small letters.
//
// The package knows neither HTTP nor MCP messages nor Caddy, and calls nobody.
package policy
