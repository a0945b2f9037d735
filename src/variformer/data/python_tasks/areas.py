"""Which area of the standard library is a docstring from?"""

from collections.abc import Iterator

from ..labelled import Example
from .library import PythonTask, described, group_of

# The chapters of "The Python Standard Library", some of them joined, and the modules that they describe.
AREAS = {
    "text": "string re sre_compile sre_parse difflib textwrap unicodedata stringprep readline rlcompleter codecs "
    "encodings",
    "data types": "datetime zoneinfo calendar collections _collections_abc heapq bisect array weakref _weakrefset "
    "types copy copyreg pprint reprlib enum graphlib struct dataclasses",
    "numbers": "numbers math cmath decimal _pydecimal fractions random statistics secrets hashlib hmac",
    "functional": "itertools functools operator contextlib abc _py_abc typing",
    "files": "pathlib os posixpath ntpath genericpath fileinput stat filecmp tempfile glob fnmatch linecache shutil io "
    "_pyio",
    "storage": "pickle pickletools shelve dbm sqlite3 zlib gzip bz2 lzma _compression zipfile tarfile csv configparser "
    "tomllib netrc plistlib xdrlib",
    "concurrency": "threading _threading_local multiprocessing concurrent subprocess sched queue asyncio selectors "
    "signal",
    "internet": "socket ssl socketserver http urllib ftplib poplib imaplib smtplib smtpd telnetlib nntplib xmlrpc "
    "ipaddress wsgiref cgi cgitb webbrowser asyncore asynchat uuid",
    "internet data": "email json mailbox mailcap mimetypes base64 binascii quopri uu html xml",
    "interfaces": "tkinter turtle cmd shlex curses argparse optparse getopt getpass gettext locale logging",
    "testing": "doctest unittest pydoc bdb pdb cProfile profile pstats timeit trace tracemalloc faulthandler",
    "language": "ast dis opcode symtable token tokenize keyword inspect traceback code codeop importlib pkgutil "
    "modulefinder runpy compileall py_compile tabnanny pyclbr warnings sysconfig site",
    "packaging": "distutils ensurepip venv zipapp",
}
AREA_OF = {module: area for area, modules in AREAS.items() for module in modules.split()}


class DocstringAreas(PythonTask):
    """`text`: a docstring; `label`: one of the areas of the library. Modules of no area are left out."""

    def class_names(self) -> list[str]:
        return list(AREAS)

    def _examples(self) -> Iterator[Example]:
        for each in described():
            area = AREA_OF.get(each.module.partition(".")[0])
            if area is not None and len(each.text.split()) >= 5:
                yield Example(each.name, {"text": each.text, "label": area}, group=group_of(each.module))
