package policy

// AddBlock adds the block that a line such as `role member`, `permission image_generation` or `everyone` begins (the
// inline form of a policy in a Caddyfile) and returns it.
func (d *Document) AddBlock(at Position, words ...string) (*Block, error) { return &Block{}, nil }

// AddSetting applies a line that begins no block: `methods ext/ping` or `mode observe`.
func (d *Document) AddSetting(at Position, words ...string) error { return nil }

// AddLine adds a line of a block: `allow SERVER tools a b prompts c`, `deny SERVER tools c` or `inherit member`.
func (b *Block) AddLine(at Position, words ...string) error { return nil }
