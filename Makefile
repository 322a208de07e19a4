# What people type. `make help` says it all; each target is one command of the lab.

VENV ?= .venv
STANZALAB = $(VENV)/bin/stanzalab

# What to run: SERVER=prosody:0.12 ROW=core/tls CHECK='rfc-6120/iq-*' PROVIDER='XEP-0030' SUITE=2021
selection = $(foreach r,$(ROW),--row '$(r)') $(foreach c,$(CHECK),--check '$(c)') \
	$(if $(PROVIDER),--provider '$(PROVIDER)') $(if $(SUITE),--suite $(SUITE))
# Without any choice: the embedded server, and the rows that it answers within a minute. RFC 6120's 600 checks take it
# several, as it hangs in some of them: ROW=core asks for all.
quick = $(foreach r,tls direct-tls feature-discovery feature-broadcasts server-extensibility event-publishing,--row core/$(r))
options = $(if $(SERVER),--server '$(SERVER)') $(clients) $(selection) $(if $(N),--workers $(N)) $(output)

clients = $(if $(PEER),--peer '$(PEER)') $(if $(CLIENT),--client '$(CLIENT)') $(if $(CLIENTS),--clients '$(CLIENTS)')
image = $(if $(IMAGE),--image '$(IMAGE)')
doap = $(if $(DOAP),--doap '$(DOAP)')
known = $(foreach k,$(KNOWN),--known '$(k)')
cell = $(if $(CELL),--cell '$(CELL)') $(if $(SERVER),--server '$(SERVER)') $(image)
output = $(if $(OUT),--out '$(OUT)') $(if $(V),--verbose)
kept = $(if $(CORPUS),--corpus '$(CORPUS)')
fuzzing = $(if $(FOR),--for '$(FOR)') $(if $(STANZAS),--stanzas $(STANZAS)) $(if $(SEED),--seed $(SEED)) $(output)

.DEFAULT_GOAL := help
.PHONY: help lab fuzz replay compare matrix prove site test bench doctor clean

help:  ## this text
	@echo 'make lab                            a quick look: the embedded server, every Core row but RFC 6120 itself'
	@echo 'make lab ROW=core                   … all of the Core category (minutes: it hangs now and then)'
	@echo 'make lab SERVER=prosody             check a server, in a container'
	@echo 'make lab SERVER=prosody ROW=core/tls        … only a row or a category of the suite'
	@echo "make lab SERVER=prosody CHECK='rfc-6120/*'  … only some checks"
	@echo 'make lab SERVER=prosody IMAGE=my/prosody:dev  … an image of your own, with the settings of that server'
	@echo 'make lab SERVER=prosody CLIENT=slixmpp      check a client, on that server'
	@echo 'make lab SERVER=prosody CLIENTS=slixmpp,profanity  … two clients, with each other'
	@echo 'make lab SERVER=prosody PEER=ejabberd       … two servers, with each other'
	@echo 'make lab CELL=cell.json             check a server that you have running (docs/cell.md)'
	@echo 'make fuzz SERVER=prosody FOR=10m    fuzz a server, row by row; what breaks it is kept in corpus/'
	@echo 'make fuzz SERVER=prosody CLIENT=slixmpp     fuzz a client, on that server'
	@echo 'make replay SERVER=prosody          try again what was found: fixed, still there, changed'
	@echo 'make compare SERVERS=prosody,ejabberd       where servers answer the same stanzas differently'
	@echo 'make matrix                         every server alone, with every other, with every client, with pairs of clients'
	@echo 'make matrix SERVERS=prosody,ejabberd CLIENTS=slixmpp,profanity PAIRS=slixmpp+profanity FEDERATION=prosody+ejabberd   … only these'
	@echo 'make matrix RESUME=1                go on with the newest matrix (or RESUME=folder) where it ended'
	@echo 'make prove SERVER=prosody           prove that the checks can fail'
	@echo 'make prove SERVER=prosody CLIENT=slixmpp    … those of a client (or CLIENTS=A,B), on that server'
	@echo 'make site                           a static site of all runs, in site/ (RECORDS=folders; docs/site.md)'
	@echo 'make test                           the lab’s own tests'
	@echo 'make bench                          measure the lab itself'
	@echo 'make doctor                         what works on this machine'
	@echo
	@echo 'Also: PROVIDER="XEP-0030" SUITE=2022 OUT=folder N=workers V=1 (verbose) MOST=damages SEED=1 STANZAS=10000 FOR=60s'
	@echo '      FUZZ=0 (no fuzzing behind the checks; 60s: longer) FINDING=name CORPUS=folder LAB_ENGINE=local|docker'
	@echo '      KNOWN=known.toml (further known failures) AGAINST=record (the run to compare with)'
	@echo '      DOAP=file (what the project claims, to be set beside what holds)'
	@echo '      of a matrix: JOBS=cells side by side, LIMIT=30m for each, SHARD=K/N (stanzalab merge joins them)'
	@echo 'More: $(STANZALAB) --help'

lab: $(VENV)/installed
	@$(STANZALAB) run --provide-engine $(if $(CELL),--cell '$(CELL)') $(options) $(image) $(known) $(doap) \
		$(if $(FUZZ),--fuzz '$(FUZZ)') $(if $(SEED),--seed $(SEED)) $(if $(AGAINST),--against '$(AGAINST)') \
		$(if $(strip $(SERVER)$(CELL)$(clients)$(ROW)$(CHECK)$(PROVIDER)),,$(quick) --workers 6)

fuzz: $(VENV)/installed
	@$(STANZALAB) fuzz --provide-engine $(cell) $(if $(CLIENT),--client '$(CLIENT)') $(known) $(selection) $(fuzzing) $(kept)

replay: $(VENV)/installed
	@$(STANZALAB) replay $(foreach f,$(FINDING),'$(f)') --provide-engine $(cell) $(if $(CLIENT),--client '$(CLIENT)') $(kept) $(output)

compare: $(VENV)/installed
	@$(STANZALAB) compare --provide-engine $(if $(SERVERS),--servers '$(SERVERS)') $(selection) $(fuzzing)

# RESUME=1 is the newest matrix, anything else its folder.
matrix: $(VENV)/installed
	@$(STANZALAB) matrix --provide-engine $(if $(SERVERS),--servers '$(SERVERS)') $(if $(CLIENTS),--clients '$(CLIENTS)') \
		$(if $(PAIRS),--pairs '$(PAIRS)') $(if $(FEDERATION),--federation '$(FEDERATION)') $(selection) $(if $(FUZZ),--fuzz '$(FUZZ)') $(if $(SEED),--seed $(SEED)) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(LIMIT),--limit '$(LIMIT)') $(if $(SHARD),--shard '$(SHARD)') \
		$(if $(RESUME),--resume $(if $(filter-out 1,$(RESUME)),'$(RESUME)')) $(output)

prove: $(VENV)/installed
	@$(STANZALAB) prove --provide-engine $(options) $(if $(MOST),--most $(MOST))

site: $(VENV)/installed
	@$(STANZALAB) site $(foreach r,$(RECORDS),'$(r)') $(if $(OUT),--out '$(OUT)')

test: $(VENV)/installed-dev
	@$(STANZALAB) doctor --provide-engine >/dev/null
	@scripts/chromium.sh
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/pytest -n 2 $(TESTS)

bench: $(VENV)/installed
	@$(VENV)/bin/python bench/generation.py
	@$(VENV)/bin/python bench/round_trips.py
	@$(VENV)/bin/python bench/fuzzing.py
	@$(VENV)/bin/python bench/site.py
	@$(VENV)/bin/python bench/lab_run.py

doctor: $(VENV)/installed
	@$(STANZALAB) doctor

clean:  ## forget the virtual environment and all runs (images, and findings in corpus/, stay)
	rm -rf $(VENV) runs build *.egg-info

$(VENV)/installed: pyproject.toml constraints.txt
	@scripts/venv.sh $(VENV)
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@scripts/venv.sh $(VENV) dev
	@touch $@
