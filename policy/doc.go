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
// applies to one [Subject] at one server, and [View.Decide] answers for one name. Everything that is not allowed is
// denied, and a deny rule beats every allow rule. The same Decide answers whether an entry of a list may be shown and
// whether it may be used, so the two cannot differ.
//
// The package knows neither HTTP nor MCP messages nor Caddy, and calls nobody.
package policy
