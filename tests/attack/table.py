"""Decides which attacks there are, and in which order they run and are written down. A new attack is a file and a row."""

from __future__ import annotations

import amplify_aliases
import amplify_retries
import amplify_servers
import birthday
import exhaustion
import forced_tcp
import fragments
import generator
import heavy
import kaminsky
import keytrap
import nat
import nsec3
import reaction
import sad_dns
import sad_dns_2
import scan
import squatter
import unsign
import workers
from stage.attack import Attack

ATTACKS: list[Attack] = [
    *kaminsky.ATTACKS,
    forced_tcp.ATTACK,
    birthday.ATTACK,
    generator.ATTACK,
    reaction.ATTACK,
    fragments.ATTACK,
    workers.ATTACK,
    *scan.ATTACKS,
    sad_dns.ATTACK,
    *sad_dns_2.ATTACKS,
    nat.ATTACK,
    squatter.ATTACK,
    *exhaustion.ATTACKS,
    *amplify_servers.ATTACKS,
    *amplify_aliases.ATTACKS,
    *amplify_retries.ATTACKS,
    heavy.ATTACK,
    *keytrap.ATTACKS,
    nsec3.ATTACK,
    unsign.ATTACK,
]
