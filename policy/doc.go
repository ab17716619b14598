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
//	        tools: [create_issue]
//	    deny:
//	      - tools: [delete_*]
//	everyone:
//	  allow:
//	    - server: status
//	      tools: ["*"]
//
// [Parse] reads it into a [Document], [Compile] turns the document into an immutable [Policy], [Policy.View] picks what
// applies to one [Subject] at one server, and [View.Decide] answers for one name. The same Decide answers whether an entry
// of a list may be shown and whether it may be used, so the two cannot differ.
//
// # What a policy means
//
// Everything that no rule allows is denied. A deny rule beats every allow rule, wherever the two are written. A person has
// the rules of everyone, of their roles and of their permissions, each with what it inherits: the allow and deny rules of
// other roles. A machine client has no share in everyone. A rule with an org applies only to people of that organization.
//
// Names are compared exactly, by code point: neither case nor Unicode normalisation makes two names one. In names of servers,
// tools and prompts * stands for any run of characters. In URIs and URI templates * stops at a slash and ** does not. There are
// no other wildcards, and a pattern that looks as if it had some is an error.
//
// A URI that two readers could understand differently (with dot segments, backslashes, user info, and the like) is denied
// whatever the rules say. Deny rules match a URI also in other spellings of it (percent-encoded, with doubled slashes, with a
// fragment), allow rules only as it is written. An exact deny does not cover the same URI with a query: end it with **.
//
// The package knows neither HTTP nor MCP messages nor Caddy, and calls nobody.
package policy
