package pages

// The fields by which a person says how much of what they may use an agent may. A form may have several choices: their names then end
// in the Suffix of each.
const (
	// FieldMay is MayAll, MayRead or MayTools.
	FieldMay = "may"
	// FieldTool is there once for each tool that is ticked.
	FieldTool = "tool"
)

// The values of FieldMay.
const (
	// MayAll: everything that the person may use, also what is added later.
	MayAll = "all"
	// MayRead: of the tools those that only read.
	MayRead = "read"
	// MayTools: the tools that are ticked, and no others.
	MayTools = "tools"
)

// Choosing is how much of what a person may use they leave an agent.
type Choosing struct {
	Suffix string
	// Now is what is chosen when the page is shown.
	Now string
	// Reads: tools that only read can be told from others here, so that they can be chosen as such.
	Reads bool
	// Tools are those to choose among.
	Tools []Tool
	// Partial: there may be more tools, since the server could not be asked. Many: there are more than fit on a page.
	Partial, Many bool
}

// Tool is one that can be chosen.
type Tool struct {
	Name, Title string
	// ReadOnly: it only reads.
	ReadOnly bool
	// Chosen: it is ticked when the page is shown.
	Chosen bool
}

// choosingView is a Choosing as it is drawn. Names are left as they are, since a form posts them: whoever fills them in holds that they
// look like what they are.
type choosingView struct {
	Choosing
	Legend string
	// Reading are the names of the tools that only read, as far as they are shown, and ReadingMore how many are not.
	Reading     []string
	ReadingMore int
}

// viewChoosing draws a choice, under a question.
func viewChoosing(c *Choosing, legend string) *choosingView {
	if c == nil {
		return nil
	}
	v := &choosingView{Choosing: *c, Legend: legend}
	v.Tools = make([]Tool, len(c.Tools))
	for i, t := range c.Tools {
		t.Title = clean(t.Title, maxClientName).Text
		if t.Title == t.Name {
			t.Title = ""
		}
		v.Tools[i] = t
		switch {
		case !t.ReadOnly:
		case len(v.Reading) < shownItems:
			v.Reading = append(v.Reading, t.Name)
		default:
			v.ReadingMore++
		}
	}
	return v
}
