// The shadow files against the user databases: entries of users that exist nowhere any more.

/** Names of the entries in the text of a passwd or group file. */
export function parseEntryNames(text: string): ReadonlySet<string> {
  const names = text.split("\n").flatMap((line) => {
    const name = line.split(":", 1)[0] ?? "";
    return name === "" || name.startsWith("#") ? [] : [name];
  });
  return new Set(names);
}

/**
 * A shadow file without the lines whose name is in none of `known`, and without repeated lines:
 * either makes systemd-sysusers fail, and with it the boot. Undefined when all lines may stay, and
 * when nobody is known at all, which says more about the databases than about the shadow file.
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
