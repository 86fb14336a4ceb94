// Restores, for the programs we start, the variables that the executable hides from Node.
//
// Node reads its variables before any of our code runs, so the executable's entry point (made by
// xtask/elf/guard.ts) changes the first letter of their names to lower case: `nODE_OPTIONS`.

/** How the hidden names begin, always with a capital letter. docs/executable.md has the reasons. */
export const HIDDEN_PREFIXES = ["NOD", "UV_", "OPE", "ICU", "SIM"] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** `env` with every variable under the name that our caller gave it. */
export function withHiddenVariables(env: Environment): Environment {
  const names = Object.keys(env).filter(isHidden);
  if (names.length === 0) return env;
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [isHidden(name) ? shownName(name) : name, value]),
  );
}

function isHidden(name: string): boolean {
  const prefix = shownName(name).slice(0, 3);
  return !/^[A-Z]/.test(name) && HIDDEN_PREFIXES.some((it) => it === prefix);
}

function shownName(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
