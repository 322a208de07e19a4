package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmpp"
	"mellium.im/xmpp/carbons"
	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/disco/info"
	"mellium.im/xmpp/history"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/muc"
	"mellium.im/xmpp/mux"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/receipts"
	"mellium.im/xmpp/roster"
	"mellium.im/xmpp/stanza"
	softwareversion "mellium.im/xmpp/version"
	"mellium.im/xmpp/xtime"
)

const (
	language        = "en" // its user's
	connectTime     = 20 * time.Second
	ownPresenceTime = 3 * time.Second
	closeTime       = time.Second // for the server to end its stream, too
)

// client is one user of the library.
type client struct {
	out     *teller
	session *xmpp.Session
	me      jid.JID
	ended   chan struct{} // when the session is over
	rooms   *muc.Client
	joined  map[string]*muc.Channel

	lock     sync.Mutex
	leaving  bool               // we asked for the end
	awaited  map[string]jid.JID // receipts: a message's id, and who has to send it
	created  map[string]bool    // rooms that we are the first in
	queryID  string
	archived []archived
}

func newClient(out *teller) *client {
	return &client{out: out, awaited: map[string]jid.JID{}, created: map[string]bool{}}
}

func (c *client) connect() (results, error) {
	if c.connected() {
		return nil, errors.New("connected already")
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	session, err := negotiate(ctx)
	if err != nil {
		return nil, err
	}
	c.session, c.me, c.ended = session, session.LocalAddr(), make(chan struct{})
	c.rooms, c.joined = &muc.Client{}, map[string]*muc.Channel{}
	c.setLeaving(false)
	own := make(chan struct{})
	c.out.tell("online", results{"jid": c.me.String()})
	go c.serve(session, newHandler(c, own), c.ended)

	// Who asks for the roster is told of its changes (RFC 6121, 2.1.6).
	err = c.fetchRoster(ctx, func(item roster.Item) { c.out.tell("contact", contact(item)) })
	if err != nil {
		c.out.log(fmt.Sprintf("no roster: %v", err))
	}
	if err := c.sendPresence(ctx, stanza.AvailablePresence, ""); err != nil {
		return nil, err
	}
	select {
	case <-own: // the server shows it to its owner: it knows of it then
	case <-c.ended:
	case <-time.After(ownPresenceTime):
	}
	return results{"jid": c.me.String()}, nil
}

func (c *client) connected() bool {
	if c.session == nil {
		return false
	}
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// negotiate logs in as the environment says.
func negotiate(ctx context.Context) (*xmpp.Session, error) {
	me, err := jid.Parse(os.Getenv("XMPP_JID"))
	if err != nil {
		return nil, err
	}
	if resource := os.Getenv("XMPP_RESOURCE"); resource != "" {
		if me, err = me.WithResource(resource); err != nil {
			return nil, err
		}
	}
	trust, err := trust(me)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, trust)
	if err != nil {
		return nil, err
	}
	session, err := xmpp.NewSession(ctx, me.Domain(), me, conn, 0, xmpp.NewNegotiator(
		func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
			return xmpp.StreamConfig{Lang: language, Features: []xmpp.StreamFeature{
				xmpp.BindResource(),
				xmpp.StartTLS(trust),
				// Without its -PLUS ones: they take tls-exporter for granted, whatever the server announces (XEP-0440).
				xmpp.SASL("", os.Getenv("XMPP_PASSWORD"), sasl.ScramSha256, sasl.ScramSha1, sasl.Plain),
			}}
		},
	))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return session, nil
}

// trust is TLS that believes one authority, about the JID's domain.
func trust(me jid.JID) (*tls.Config, error) {
	pem, err := os.ReadFile(os.Getenv("XMPP_CA"))
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, errors.New("XMPP_CA has no certificate in it")
	}
	return &tls.Config{RootCAs: authorities, ServerName: me.Domainpart(), MinVersion: tls.VersionTLS12}, nil
}

// dial goes where the environment says. The library's own dialer goes where DNS says.
func dial(ctx context.Context, trust *tls.Config) (net.Conn, error) {
	address := net.JoinHostPort(os.Getenv("XMPP_HOST"), os.Getenv("XMPP_PORT"))
	if os.Getenv("XMPP_TLS") == "direct" {
		direct := trust.Clone()
		direct.NextProtos = []string{"xmpp-client"} // XEP-0368, as the library's dialer does
		return (&tls.Dialer{Config: direct}).DialContext(ctx, "tcp", address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

func newMux(c *client) *mux.ServeMux {
	return mux.New(stanza.NSClient,
		disco.Handle(),
		mux.Ident(identity{}),
		ping.Handle(),
		softwareversion.Handle(softwareversion.Query{Name: "mellium", Version: version()}),
		xtime.Handle(xtime.Handler{TimeFunc: time.Now}),
		roster.Handle(roster.Handler{Push: c.pushed}),
		receipts.Handle(&receipts.Handler{Unhandled: c.received}),
		carbons.Handle(carbons.Handler{F: c.copied}),
		history.Handle(history.NewHandler(mux.MessageHandlerFunc(c.found))),
		muc.HandleClient(c.rooms),
		mux.MessageFunc(stanza.ChatMessage, body, c.shown),
		mux.MessageFunc(stanza.NormalMessage, body, c.shown),
		mux.MessageFunc(stanza.GroupChatMessage, body, c.shown),
		mux.MessageFunc(stanza.HeadlineMessage, body, c.shown),
	)
}

var body = xml.Name{Space: stanza.NSClient, Local: "body"}

type identity struct{}

func (identity) ForIdentities(node string, f func(info.Identity) error) error {
	if node != "" {
		return nil
	}
	return f(disco.ClientBot)
}

func (c *client) serve(session *xmpp.Session, handler xmpp.Handler, ended chan struct{}) {
	err := session.Serve(handler)
	_ = session.Conn().Close() // it may be gone already
	left := c.isLeaving()
	close(ended) // before it is told: the answer may be the next connect
	if !left {
		reason := "the stream was closed"
		if err != nil {
			reason = err.Error()
		}
		c.out.tell("offline", results{"reason": reason})
	}
}

// logOut says that it goes, closes the stream, and then the connection. Presence is the library's user's to send.
func (c *client) logOut() error {
	if !c.connected() {
		return nil
	}
	c.setLeaving(true)
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	err := c.sendPresence(ctx, stanza.UnavailablePresence, "")
	err = errors.Join(err, c.session.SetCloseDeadline(time.Now().Add(closeTime)))
	err = errors.Join(err, c.session.Close())
	<-c.ended
	return err
}

func (c *client) setLeaving(leaving bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.leaving = leaving
}

func (c *client) isLeaving() bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.leaving
}

// --- what answers are waited for

func (c *client) awaitReceipt(id string, from jid.JID) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.awaited[id] = from
}

func (c *client) noteCreated(room jid.JID) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.created[room.String()] = true
}

// isNew says whether we made a room by entering it, once.
func (c *client) isNew(room jid.JID) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	created := c.created[room.String()]
	delete(c.created, room.String())
	return created
}

// collect begins to keep what an archive sends for a query.
func (c *client) collect(queryID string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.queryID, c.archived = queryID, nil
}

func (c *client) collected() []archived {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.archived
}
