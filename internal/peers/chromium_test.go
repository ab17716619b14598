package peers

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChromiumWalksThroughFormsAndTakesPictures(t *testing.T) {
	agent := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(agent.Close)
	site := login(t, agent.URL+"/callback")
	walked := Chromium(t, Walk{
		URL: site.URL + "/start", Until: agent.URL, Width: 390, Height: 844, Mobile: true,
		Answers:  map[string]string{"decision": "allow", "username": "alice", "password": "right"},
		Pictures: filepath.Join(t.TempDir(), "login"),
	})
	if want := agent.URL + "/callback?code=c&state=s"; walked.End != want {
		t.Errorf("ended at %s, want %s", walked.End, want)
	}
	if len(walked.Pages) != 2 || !strings.Contains(walked.Pages[1].Text, "Who are you?") {
		t.Fatalf("saw %+v", walked.Pages)
	}
	for _, page := range walked.Pages {
		if info, err := os.Stat(page.Picture); err != nil || info.Size() == 0 {
			t.Errorf("no picture of %s: %v", page.URL, err)
		}
	}
	if got := strings.Join(walked.Pages[1].Unlabelled, " "); got != "username password" {
		t.Errorf("fields without a label: %q", got)
	}
}
