"""What makes an RDS database refuse connections in clear text, by engine, as data with its source and date.

Sources: Amazon RDS and Aurora user guides as of 2026-11: requiring SSL/TLS for all connections (MySQL, MariaDB, PostgreSQL, SQL
Server, Aurora MySQL and Aurora PostgreSQL), with the versions from which it is the default; SSL/TLS with RDS for Db2; Oracle
native network encryption and Oracle Secure Sockets Layer. An engine or a value that is not known never passes. Standard library
only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TABLE_DATE = "2026-11"
ON = frozenset({"1", "on", "true"})
OFF = frozenset({"0", "off", "false"})
STRONG_PROTOCOLS = frozenset({"tlsv1.2", "tlsv1.3"})
# Oracle's only encryption that it can require on its only open port, and what it may use
NETWORK_ENCRYPTION, SSL_OPTION = "NATIVE_NETWORK_ENCRYPTION", "SSL"
REQUIRED_SETTING, ALGORITHMS_SETTING = "SQLNET.ENCRYPTION_SERVER", "SQLNET.ENCRYPTION_TYPES_SERVER"
STRONG_ALGORITHMS = frozenset({"AES128", "AES192", "AES256"})

Version = tuple[int, ...]


@dataclass(frozen=True)
class Switch:
    """A parameter that turns clear text off.

    `on_since`: the engine version from which it is on unless set; None: never. `exists_since`: older ones do not have it.
    """

    name: str
    on_since: Version | None = None
    exists_since: Version = ()


@dataclass(frozen=True)
class Floor:
    """A parameter with the TLS versions that are taken, as a list or as the oldest one.

    `strong_since`: the engine version from which nothing older than TLS 1.2 is taken unless it is set.
    """

    name: str
    strong_since: Version = ()


@dataclass(frozen=True)
class Engine:
    """How an engine is judged. `clustered`: its instances may be members of a cluster, whose group holds the switch."""

    switch: Switch
    floor: Floor | None = None
    clustered: bool = False
    disabled: tuple[str, ...] = field(default=())  # parameters that must say `disabled`: old TLS versions


_SQL_SERVER = Engine(Switch("rds.force_ssl"), disabled=("rds.tls10", "rds.tls11"))
_POSTGRES_FLOOR, _MYSQL_FLOOR = Floor("ssl_min_protocol_version", (13,)), Floor("tls_version", (8, 0))
ENGINES: Mapping[str, Engine] = {
    "postgres": Engine(Switch("rds.force_ssl", (15,)), _POSTGRES_FLOOR, clustered=True),
    "aurora-postgresql": Engine(Switch("rds.force_ssl", (17,)), _POSTGRES_FLOOR, clustered=True),
    "mysql": Engine(Switch("require_secure_transport", (9, 7)), _MYSQL_FLOOR, clustered=True),
    "aurora-mysql": Engine(Switch("require_secure_transport", (8, 4)), _MYSQL_FLOOR, clustered=True),
    "mariadb": Engine(Switch("require_secure_transport", (11, 8), exists_since=(10, 5)), Floor("tls_version")),
    "sqlserver-ee": _SQL_SERVER,
    "sqlserver-se": _SQL_SERVER,
    "sqlserver-ex": _SQL_SERVER,
    "sqlserver-web": _SQL_SERVER,
}
AURORA = frozenset({"aurora-postgresql", "aurora-mysql"})  # every instance is a member of a cluster
DB2 = frozenset({"db2-ae", "db2-se"})
ORACLE = frozenset({"oracle-ee", "oracle-ee-cdb", "oracle-se", "oracle-se1", "oracle-se2", "oracle-se2-cdb"})
CLUSTERED = frozenset(name for name, engine in ENGINES.items() if engine.clustered)


def version_of(text: str) -> Version:
    """The leading numbers: `8.0.mysql_aurora.3.08.0` is (8, 0). ValueError when there is none."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    if not found:
        raise ValueError(f"{text!r} does not begin with a version number")
    return tuple(map(int, found[0].split(".")))


def known(engine: str) -> bool:
    return engine in ENGINES or engine in DB2 or engine in ORACLE


def parameter_faults(engine: str, version: Version, values: Mapping[str, str], group: str) -> list[str]:
    """What lets clear text or old TLS through, clear text first. A value that is absent is the engine's default."""
    if engine in DB2:
        return [fault for fault in [_db2_fault(values, group)] if fault]
    rule = ENGINES[engine]
    found = [_switch_fault(rule.switch, version, values, group)]
    if rule.floor:
        found.append(_floor_fault(rule.floor, version, values, group))
    found += [_disabled_fault(name, values, group) for name in rule.disabled]
    return [fault for fault in found if fault]


def _switch_fault(switch: Switch, version: Version, values: Mapping[str, str], group: str) -> str | None:
    if version < switch.exists_since:
        return f"version {_dotted(version)} has no {switch.name}; upgrade to {_dotted(switch.exists_since)} or newer"
    value = values.get(switch.name)
    if value is None:
        if switch.on_since is not None and version >= switch.on_since:
            return None
        return f"{switch.name} is not set in {group}, and off by default in version {_dotted(version)}; set it to 1"
    if value.strip().lower() in ON:
        return None
    if value.strip().lower() in OFF:
        return f"{switch.name} is {value} in {group}: clear text is accepted; set it to 1"
    return f"{switch.name} has the unknown value {value!r} in {group}; set it to 1"


def _floor_fault(floor: Floor, version: Version, values: Mapping[str, str], group: str) -> str | None:
    value = values.get(floor.name)
    if value is None:
        if version >= floor.strong_since:
            return None
        return f"{floor.name} is not set in {group}, and version {_dotted(version)} may accept older TLS; set it to TLSv1.2"
    entries = [entry.strip() for entry in value.split(",")]
    weak = [entry for entry in entries if entry.lower() not in STRONG_PROTOCOLS]
    return f"{floor.name} in {group} accepts {', '.join(weak) or 'every version'}; set it to TLSv1.2" if weak else None


def _disabled_fault(name: str, values: Mapping[str, str], group: str) -> str | None:
    value = values.get(name, "default")
    return None if value.strip().lower() == "disabled" else f"{name} is {value} in {group}: old TLS is accepted; disable it"


def _db2_fault(values: Mapping[str, str], group: str) -> str | None:
    value = values.get("DB2COMM")
    if value is None:
        return f"DB2COMM is not set in {group}, and TCPIP by default: clear text is accepted; set it to SSL"
    entries = {entry.strip().upper() for entry in value.split(",")}
    return None if entries == {"SSL"} else f"DB2COMM is {value} in {group}: clear text is accepted; set it to SSL"


def oracle_faults(options: Mapping[str, Mapping[str, str]]) -> list[str]:
    """`options` of every option group of the instance. The SSL option leaves the clear port open, beside its own."""
    settings = options.get(NETWORK_ENCRYPTION)
    if settings is None:
        beside = ": the SSL option leaves the clear port open" if SSL_OPTION in options else ""
        return [f"clear text is accepted{beside}; add {NETWORK_ENCRYPTION} with {REQUIRED_SETTING} REQUIRED"]
    found = []
    if settings.get(REQUIRED_SETTING, "").strip().upper() != "REQUIRED":
        stated = settings.get(REQUIRED_SETTING) or "REQUESTED by default"
        found.append(f"{REQUIRED_SETTING} is {stated}: clear text is accepted; set it to REQUIRED")
    algorithms = [entry.strip() for entry in settings.get(ALGORITHMS_SETTING, "").split(",") if entry.strip()]
    weak = [name for name in algorithms if name.upper() not in STRONG_ALGORITHMS]
    if weak or not algorithms:
        found.append(f"{ALGORITHMS_SETTING} allows {_some(weak) or 'RC4 and DES by default'}; leave AES only")
    return found


def _some(names: Sequence[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
