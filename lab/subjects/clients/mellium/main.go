// Mellium's agent (docs/clients.md): commands in, events out. Commands are carried out one after the other; the session
// tells what comes meanwhile.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

const (
	library   = "mellium.im/xmpp"
	lineBytes = 1 << 20
	endTime   = 1200 * time.Millisecond // twice at most: for the commands that came, and to log out
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println(library, version())
		return
	}
	out := newTeller(os.Stdout)
	user := newClient(out)
	out.tell("ready", results{"client": "mellium", "version": version()})

	commands := make(chan command, 1000)
	carriedOut := make(chan struct{})
	go func() {
		defer close(carriedOut)
		for given := range commands {
			answer(out, user, given)
		}
	}()
	read(out, commands)
	close(commands)
	select {
	case <-carriedOut:
	case <-time.After(endTime):
	}
	loggedOut := make(chan struct{})
	go func() {
		defer close(loggedOut)
		user.logOut()
	}()
	select {
	case <-loggedOut:
	case <-time.After(endTime):
	}
}

// read hands on the commands until the input ends.
func read(out *teller, commands chan<- command) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytes)
	for lines.Scan() {
		given, err := parse(lines.Bytes())
		if err != nil {
			out.log(fmt.Sprintf("not a command: %v", err))
			continue
		}
		commands <- given
	}
}

func answer(out *teller, user *client, given command) {
	done, err := carryOut(user, given)
	var cannot unsupported
	switch {
	case err == nil:
		out.answer("done", given.id, done)
	case errors.As(err, &cannot):
		out.answer("unsupported", given.id, results{"reason": cannot.Error()})
	default:
		out.answer("failed", given.id, results{"reason": err.Error()})
	}
}

// version is that of the library, as it was built in.
func version() string {
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, module := range built.Deps {
			if module.Path == library {
				return module.Version
			}
		}
	}
	return "unknown"
}

// command is one line of the lab's.
type command struct {
	id    int
	name  string
	given map[string]any
}

func parse(line []byte) (command, error) {
	var given map[string]any
	if err := json.Unmarshal(line, &given); err != nil {
		return command{}, err
	}
	id, hasID := given["id"].(float64)
	name, hasName := given["command"].(string)
	if !hasID || !hasName {
		return command{}, errors.New("it has no id, or no command")
	}
	delete(given, "id")
	delete(given, "command")
	return command{id: int(id), name: name, given: given}, nil
}

// text is an argument; empty where it is not there.
func (c command) text(name string) string {
	text, _ := c.given[name].(string)
	return text
}
