package main

import (
	"encoding/json"
	"io"
	"sync"
)

// results is what an event says besides its kind.
type results map[string]any

// teller writes events, one a line, from whatever goroutine.
type teller struct {
	lock sync.Mutex
	out  *json.Encoder
}

func newTeller(out io.Writer) *teller {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return &teller{out: encoder}
}

func (t *teller) tell(event string, says results) {
	line := results{"event": event}
	for name, value := range says {
		line[name] = value
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	if err := t.out.Encode(line); err != nil {
		panic(err) // nobody listens any more
	}
}

func (t *teller) log(text string) {
	t.tell("log", results{"text": text})
}

func (t *teller) answer(event string, id int, says results) {
	line := results{"id": id}
	for name, value := range says {
		line[name] = value
	}
	t.tell(event, line)
}

// with adds a text that may be empty, and then says nothing.
func (r results) with(name, text string) results {
	if text != "" {
		r[name] = text
	}
	return r
}
