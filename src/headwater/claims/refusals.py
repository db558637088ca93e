"""How a whole file is refused: one function a code, in the words that people read."""

from headwater.errors import Message, Refusal

__all__ = ["as_archive", "as_empty", "as_encoding", "as_encrypted", "as_entity", "as_format", "as_size"]


def as_format(name: str, wanted: str, found: str) -> Refusal:
    """``E-FILE-FORMAT``: the file is not what its contract says; ``found`` is what it is, or what is wrong with it."""
    return Refusal(
        "E-FILE-FORMAT",
        Message(
            f"文件 {name} 不能按合同的格式 {wanted} 读取：{found}。",
            f"File {name} cannot be read as {wanted}, as its contract says: {found}.",
        ),
        Message(
            f"请按 {wanted} 格式重新导出后重报，或修改合同的 format。",
            f"Export it as {wanted} and send it again, or mend the contract's format.",
        ),
    )


def as_empty(name: str) -> Refusal:
    """``E-FILE-EMPTY``."""
    return Refusal(
        "E-FILE-EMPTY",
        Message(f"文件 {name} 是空的，连表头也没有。", f"File {name} is empty, without even a header."),
        Message("检查导出是否中断，然后重报。", "Check whether the export broke off and send it again."),
    )


def as_encoding(name: str, found: str) -> Refusal:
    """``E-FILE-ENCODING``: the text is in no encoding that is read."""
    return Refusal(
        "E-FILE-ENCODING",
        Message(f"文件 {name} 不是 UTF-8 或 GB18030 编码：{found}。", f"File {name} is not UTF-8 or GB18030: {found}."),
        Message("请另存为 UTF-8 后重报。", "Save it as UTF-8 and send it again."),
    )


def as_encrypted(name: str) -> Refusal:
    """``E-FILE-ENCRYPTED``."""
    return Refusal(
        "E-FILE-ENCRYPTED",
        Message(f"文件 {name} 已加密，无法读取。", f"File {name} is encrypted and cannot be read."),
        Message("去掉打开密码后重报。", "Remove its password and send it again."),
    )


def as_archive(name: str, zh: str, en: str) -> Refusal:
    """``E-FILE-ARCHIVE``: the container is unsafe, e.g. a member that would lie outside of it."""
    return Refusal(
        "E-FILE-ARCHIVE",
        Message(f"文件 {name} 的压缩包不安全：{zh}。", f"File {name} is an unsafe archive: {en}."),
        Message("用办公软件重新另存后重报。", "Save it anew with the office program and send it again."),
    )


def as_entity(name: str, part: str) -> Refusal:
    """``E-FILE-ENTITY``: an XML part declares entities, which no office program writes."""
    return Refusal(
        "E-FILE-ENTITY",
        Message(
            f"文件 {name} 的 {part} 含有 DTD 或实体声明。", f"Part {part} of file {name} declares a DTD or entities."
        ),
        Message("用办公软件重新另存后重报。", "Save it anew with the office program and send it again."),
    )


def as_size(name: str, zh: str, en: str) -> Refusal:
    """``E-FILE-SIZE``: reading would take more than a table of any hospital does."""
    return Refusal(
        "E-FILE-SIZE",
        Message(f"文件 {name} 超出限度：{zh}。", f"File {name} exceeds a limit: {en}."),
        Message(
            "检查导出是否有误；数据确实很多时按月拆成多个文件重报。",
            "Check the export; if there is truly so much data, split it by month and send it again.",
        ),
    )
