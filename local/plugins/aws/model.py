"""What the plugin knows about a resource type, as data.

Templates are plain values in which `{name}` stands for a value of the scope (see template.py): an input or output of
the resource by its wire name, `id`, `region`, `account`, `partition`, and `old.<name>` for the input before an update.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from local.plugins.aws.codec import PLAIN, Codec
from local.plugins.aws.template import mentioned


class _Nothing:
    """Stands for "not said" where None is a value."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Any = _Nothing()


@dataclass(frozen=True, kw_only=True)
class Property:
    """One input of a type.

    Attributes:
        api: its parameter in the calls that send it; dots go deeper, "" merges a structure into the parameters.
        codec: how its value is written on either side.
        read: JMESPath in the answer of the type's `read`; None for `api`, "" where AWS does not tell.
        replace: a change makes a new resource.
        default: filled in by Check.
        computed: AWS chooses a value where the program gives none; taking it away changes nothing.
        absent: the value that an update sends when the program takes the property away.
        attribute: kept in the type's list of attributes; the codec is then `codec.Attributes`.
        local: never sent as such; for the plugin and for templates.
    """

    api: str = ""
    codec: Codec = PLAIN
    read: str | None = None
    replace: bool = False
    default: Any = None
    computed: bool = False
    absent: Any = NOTHING
    attribute: bool = False
    local: bool = False

    @property
    def path(self) -> str:
        """JMESPath in the answer; "" where the value cannot be read back."""
        return self.api if self.read is None else self.read


@dataclass(frozen=True, kw_only=True)
class Call:
    """One API call.

    Attributes:
        operation: the method of the client, as boto3 names it.
        sends: names of properties sent under their `api`, separated by spaces; those without a value are left out.
        params: further parameters, as templates.
        whole: send all of `sends` when one of them changed (calls that put the whole again).
        attributes: the parameter that takes the changed attributes, as a list of Key and Value.
        when: a template; the call is left out where it is empty, false or not there.
        unless: a template; the call is left out where it is there and neither empty nor false.
        on: names of properties whose change needs this call, beyond those in `sends` and `params`.
        service: where it is another than the type's.
    """

    operation: str
    sends: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    attributes: str = ""
    when: str = ""
    unless: str = ""
    on: str = ""
    service: str = ""

    @cached_property
    def names(self) -> frozenset[str]:
        """The properties whose change needs this call."""
        return frozenset({*self.sends.split(), *self.on.split(), *mentioned(self.params)})


@dataclass(frozen=True, kw_only=True)
class Look:
    """One call that reads.

    Attributes:
        operation: the method of the client, as boto3 names it.
        params: templates.
        path: JMESPath (and template) to what is looked for in the answer; None there means that it is gone.
        gives: for a further look: property or output to JMESPath in what `path` found.
        attributes: what `path` found is the list of attributes, Key and Value.
    """

    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)
    path: str = "@"
    gives: Mapping[str, str] = field(default_factory=dict)
    attributes: bool = False


@dataclass(frozen=True, kw_only=True)
class Tags:
    """How a service takes tags.

    Attributes:
        create: parameter of the create call; "" where tags are added afterwards.
        kind: resource type of EC2's TagSpecifications.
        key, value: names in the list of pairs; key "" where the API has a map.
        add, remove: calls; `{tags}` stands for the pairs or map, `{keys}` for the keys taken away, `{keyed}` for
            structures with them.
        look: further call that reads them; None where `read` has them.
        read: JMESPath in the answer of `look`, or of the type's `read`.
    """

    create: str = "Tags"
    kind: str = ""
    key: str = "Key"
    value: str = "Value"
    add: Call
    remove: Call
    look: Look | None = None
    read: str = "Tags"


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Read again until a value of the answer is one of `until`; one of `failed` ends the wait as an error.

    Without a wait where `when`, a template, is empty, false or not there.
    """

    path: str
    until: tuple[Any, ...]
    failed: tuple[Any, ...] = ()
    seconds: float = 600.0
    when: str = ""


@dataclass(frozen=True, kw_only=True)
class Type:
    """A resource type.

    Attributes:
        kind: the type token, as in a URN.
        service: name of the client, as boto3 names it.
        properties: every input that is known, by wire name (`region` and `tags` are added for all).
        outputs: what only AWS knows: wire name to JMESPath in the answer of `read`, or to (JMESPath, codec).
        derived: outputs made of others: wire name to template.
        id: JMESPath in the answer of `create`, or a template with braces.
        create: the call; `adopt` instead where the resource is there already.
        read: the look that finds it.
        looks: further looks, after it.
        update: calls in order; those that send what `create` does not send also follow a create.
        delete: calls in order.
        gone: error codes that say that it does not exist.
        gone_when: JMESPath and values in the answer of `read` that say the same.
        name: the property that is named by the plugin when absent.
        name_length: longest name.
        name_lower: names have lower-case letters, digits and hyphens only.
        name_prefix: what a name made by the plugin begins with.
        unique: properties that no two resources may share; the name where empty.
        tags: None where the type has none.
        created, updated, deleted: what to wait for.
        volatile: outputs that an update may change: unknown in its preview.
        after: calls that follow `create` at once, whatever the inputs are.
    """

    kind: str
    service: str
    properties: Mapping[str, Property]
    outputs: Mapping[str, str | tuple[str, Codec]] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    id: str
    create: Call | None = None
    adopt: Look | None = None
    read: Look
    looks: tuple[Look, ...] = ()
    update: tuple[Call, ...] = ()
    delete: tuple[Call, ...] = ()
    gone: tuple[str, ...] = ()
    gone_when: tuple[str, tuple[Any, ...]] | None = None
    name: str = ""
    name_length: int = 255
    name_lower: bool = False
    name_prefix: str = ""
    unique: tuple[str, ...] = ()
    tags: Tags | None = None
    created: Wait | None = None
    updated: Wait | None = None
    deleted: Wait | None = None
    volatile: tuple[str, ...] = ()
    after: tuple[Call, ...] = ()


def fixed(api: str, codec: Codec = PLAIN, **more: Any) -> Property:
    """A property whose change makes a new resource."""
    return Property(api=api, codec=codec, replace=True, **more)


def plain(api: str, codec: Codec = PLAIN, **more: Any) -> Property:
    """A property that an update changes in place."""
    return Property(api=api, codec=codec, **more)


def local(default: Any = None, **more: Any) -> Property:
    """A property that steers the provider and that AWS never sees as such."""
    return Property(local=True, read="", default=default, **more)
