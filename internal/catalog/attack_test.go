package catalog

import (
	"encoding/base64"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

// randomText is a text that no packing makes shorter.
func randomText(n int) string {
	b := make([]byte, n*3/4)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// TestAttackLongNamesDoNotKeepPinsFromBeingKept: a server must not have its pins forgotten by the next restart with a record for which the
// store has no room.
func TestAttackLongNamesDoNotKeepPinsFromBeingKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := storetest.NewMemory(time.Now)
		n := newPinNode(kept)
		tools := []string{"echo=Says it again"}
		for range 40 {
			tools = append(tools, randomText(40<<10)+"=x")
		}
		if shown := n.lists(t, PinsFirstUse, tools...); !strings.HasPrefix(shown, "echo") {
			t.Errorf("shown: %.40s", shown)
		}
		n.Settle(t.Context())
		if n.failed > 0 {
			t.Error("the pins could not be kept")
		}
		again := newPinNode(kept)
		if shown := again.lists(t, PinsFirstUse, "echo=Says it to somebody else"); shown != "" {
			t.Errorf("after a restart another tool of the name is shown: %s", shown)
		}
		if shown := n.lists(t, PinsFirstUse, tools[40]); shown != "" {
			t.Errorf("what found no room is shown: %.40s", shown)
		}
		synctest.Wait()
		time.Sleep(2 * keepEvery)
	})
}

// TestAttackDefinitionsThatAreNotKeptYetTakeNoMoreThanTheirRoom: while the store is away, a server must not fill the memory.
func TestAttackDefinitionsThatAreNotKeptYetTakeNoMoreThanTheirRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &broken{Store: storetest.NewMemory(time.Now)}
		n := newPinNode(kept)
		book := n.Book(Key{Server: "s"})
		if _, err := book.Now(t.Context(), PinsFirstUse); err != nil {
			t.Fatal(err)
		}
		kept.fails = true
		text := strings.Repeat("x", 60<<10)
		var tools []string
		for i := range 150 {
			tools = append(tools, "tool"+strconv.Itoa(i)+"="+text)
		}
		n.lists(t, PinsFirstUse, tools...)
		synctest.Wait()
		size := 0
		for _, one := range book.news {
			size += len(one.Definition)
		}
		if len(book.news) != 150 || size > 8<<20 || size != book.texts {
			t.Errorf("%d sightings with %d bytes, counted as %d", len(book.news), size, book.texts)
		}
		time.Sleep(2 * keepEvery)
		synctest.Wait()
		kept.fails = false
		book.pins.Refresh(t.Context())
		time.Sleep(2 * keepEvery)
		synctest.Wait()
		if len(book.news) != 0 || book.texts != 0 {
			t.Errorf("%d sightings are not kept, of %d bytes", len(book.news), book.texts)
		}
	})
}
