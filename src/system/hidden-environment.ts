// Variables that the executable hides from Node, put back for the programs we start.
//
// Node reads its variables before any code of ours runs, so the executable's entry point (made by
// xtask/elf/guard.ts) turns the first letter of their names into a small one: `nODE_OPTIONS`.

/** How the hidden names begin; each begins with a capital letter. docs/executable.md has the reasons. */
export const HIDDEN_PREFIXES = ["NOD", "UV_", "OPE", "ICU", "SIM"] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** `env` with every variable under the name it was given by whoever started us. */
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
