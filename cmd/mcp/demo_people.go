package mcpcmd

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// demoUser is a person of the demo. The password goes to the terminal, its bcrypt hash into the Caddyfile.
type demoUser struct {
	Name, Email, Role, Permission string
	Password, Hash                string
}

// demoUsers reads the people of the demo from a file or, where there is none, makes them up, each with a password that
// nobody has had before, and writes them there. It is for the demo's own directory, which nobody else may read: a demo
// that goes on where it ended must know the same people by the same passwords, since a changed password ends what was
// granted under the old one.
func demoUsers(file string) ([]demoUser, error) {
	var users []demoUser
	kept, err := os.ReadFile(file)
	if err == nil {
		return users, json.Unmarshal(kept, &users)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	users = []demoUser{
		{Name: "alice", Email: "alice@example.com", Role: "admin", Permission: "image_generation"},
		{Name: "bob", Email: "bob@example.com", Role: "member"},
	}
	for i := range users {
		users[i].Password = password()
		hash, err := bcrypt.GenerateFromPassword([]byte(users[i].Password), bcrypt.DefaultCost)
		if err != nil {
			return nil, err
		}
		users[i].Hash = string(hash)
	}
	text, err := json.Marshal(users)
	if err != nil {
		return nil, err
	}
	return users, os.WriteFile(file, text, 0o600)
}

// password makes a random password of 60 bits that can be typed.
func password() string {
	letters := strings.ToLower(rand.Text())
	return letters[:4] + "-" + letters[4:8] + "-" + letters[8:12]
}
