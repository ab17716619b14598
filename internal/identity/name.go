package identity

import (
	"fmt"
	"regexp"
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// CheckName says what is wrong with the name of a provider. It is part of people's ids and of addresses, and compared exactly.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is no name: write 1 to 32 small letters, digits, - and _, a letter first", name)
	}
	return nil
}
