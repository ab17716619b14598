package approval

import "testing"

// TestAttackArgumentsHideNothing: letters and marks that show nothing are no way to have somebody approve what they did not see.
func TestAttackArgumentsHideNothing(t *testing.T) {
	for _, r := range []rune{0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180f, 0x2800, 0x3164, 0xfe00, 0xfe0f, 0xffa0, 0xe0100, 0xe01ef} {
		if text, _ := shown([]byte(`{"a":"x` + string(r) + `y"}`)); text == "" || text == "{\n  \"a\": \"x"+string(r)+"y\"\n}" {
			t.Errorf("%U is shown as it is", r)
		}
	}
}
