// Compares shadow files with the user databases, to find entries of users that no longer exist.

/** The names of all entries in a passwd or group file. */
export function parseEntryNames(text: string): ReadonlySet<string> {
  const names = text.split("\n").flatMap((line) => {
    const name = line.split(":", 1)[0] ?? "";
    return name === "" || name.startsWith("#") ? [] : [name];
  });
  return new Set(names);
}

/**
 * The shadow file without lines whose name is not in `known`, and without repeated lines: either kind
 * makes systemd-sysusers fail, and with it the boot. Undefined when every line may stay, and when `known`
 * is empty, since then the databases are at fault and not the shadow file.
 */
export function pruneShadow(shadow: string, known: ReadonlySet<string>): string | undefined {
  if (known.size === 0) return undefined;
  const seen = new Set<string>();
  const kept = shadow.split("\n").filter((line) => {
    const name = line.split(":", 1)[0] ?? "";
    if (line.trim() === "") return true;
    if (!known.has(name) || seen.has(line)) return false;
    seen.add(line);
    return true;
  });
  const pruned = kept.join("\n");
  return pruned === shadow ? undefined : pruned;
}
