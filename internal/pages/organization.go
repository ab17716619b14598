package pages

import "net/http"

// Organization is the page on which a person says as a member of which organization they come. Its form posts Hidden, the value of the
// choice as organization, and decision=allow or decision=cancel. Without a Server, it is for the person's own page.
type Organization struct {
	Client  Client
	Server  string
	Choices []Choice
	Action  string
	Hidden  []Field
}

type organizationView struct {
	frame
	Client         clientView
	Server, Action string
	Choices        []Choice
	Hidden         []Field
}

// Organization writes the page on which an organization is chosen; formTargets as with Ask.
func (p *Pages) Organization(w http.ResponseWriter, formTargets []string, o Organization) {
	v := organizationView{Client: viewClient(o.Client), Server: line(o.Server), Action: o.Action, Hidden: o.Hidden}
	v.Place = v.Server
	v.Title = "Choose your organization"
	for _, choice := range o.Choices {
		v.Choices = append(v.Choices, Choice{Value: choice.Value, Label: line(choice.Label)})
	}
	p.write(w, http.StatusOK, formTargets, p.organization, &v.frame, &v)
}
