"""The engine's configuration files: what clients may do, in the engine's own access rights.

Served over HTTP, the engine must not become a way to this machine's files, programs or network: every source outside
the database is revoked. INSERT FROM INFILE of request bodies needs no such right, and clients cannot write it.
"""

from pathlib import Path
from typing import Final

_USERS: Final = """<clickhouse>
  <profiles><default><implicit_select>0</implicit_select></default></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT ALL ON *.*</query>
        <query>REVOKE SOURCES ON *.*</query>
      </grants>
    </default>
  </users>
</clickhouse>
"""
_CONFIG: Final = """<clickhouse>
  <timezone>UTC</timezone>
  <max_server_memory_usage_to_ram_ratio>{memory_ratio}</max_server_memory_usage_to_ram_ratio>
  <user_directories><users_xml><path>{users}</path></users_xml></user_directories>
</clickhouse>
"""


def write_configuration(folder: Path, memory_ratio: float) -> Path:
    """Write both files into `folder` and return the path of the one that the engine starts with."""
    users, config = folder / "users.xml", folder / "config.xml"
    users.write_text(_USERS)
    config.write_text(_CONFIG.format(memory_ratio=memory_ratio, users=users))
    return config
