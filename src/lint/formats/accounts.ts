// Users and groups: passwd(5), group(5), and the sysusers.d(5) lines that make them.

export interface Account {
  readonly name: string;
  readonly id: number;
  /** Of a user: the group it logs in with. */
  readonly groupId: number | undefined;
}

export interface Sysusers {
  readonly users: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
}

/** The users of a passwd file, or the groups of a group file. Lines that are neither are left out. */
export function parseAccounts(text: string): readonly Account[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , id = "", groupId = ""] = line.split(":");
    if (name === "" || !/^\d+$/.test(id)) return [];
    return [{ name, id: Number(id), groupId: /^\d+$/.test(groupId) ? Number(groupId) : undefined }];
  });
}

/** What the lines of all sysusers.d files make. A user has a group of the same name. */
export function parseSysusers(texts: readonly string[]): Sysusers {
  const users = new Set<string>();
  const groups = new Set<string>();
  for (const line of texts.flatMap((it) => it.split("\n"))) {
    const [type = "", name = ""] = line.trim().split(/\s+/);
    if (/^u!?$/.test(type)) users.add(unquote(name));
    if (/^(u!?|g)$/.test(type)) groups.add(unquote(name));
  }
  return { users, groups };
}

/** Names of users in a shadow file who log in without a password. */
export function parseUsersWithoutPassword(shadow: string): readonly string[] {
  return shadow.split("\n").flatMap((line) => {
    const [name = "", hash] = line.split(":");
    return name !== "" && !name.startsWith("#") && hash === "" ? [name] : [];
  });
}

function unquote(word: string): string {
  return word.replace(/^"(.*)"$/, "$1");
}
