// systemd.preset(5): whether a unit is enabled on a machine that boots for the first time.

export interface PresetFile {
  readonly name: string;
  readonly text: string;
}

interface Rule {
  readonly verdict: "enable" | "disable" | "ignore";
  readonly matches: (unit: string) => boolean;
}

/** Says whether the presets disable a unit; the first rule that matches counts, in order of file names. */
export function readPresets(files: readonly PresetFile[]): (unit: string) => boolean {
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const rules = sorted.flatMap(({ text }) => text.split("\n").flatMap(parseRule));
  return (unit) => rules.find((it) => it.matches(unit))?.verdict === "disable";
}

function parseRule(line: string): readonly Rule[] {
  const [verdict = "", pattern = ""] = line.trim().split(/\s+/);
  if (verdict !== "enable" && verdict !== "disable" && verdict !== "ignore") return [];
  if (pattern === "") return [];
  const regex = regexOf(pattern);
  return [{ verdict, matches: (unit) => regex.test(unit) }];
}

/** Format: fnmatch(3), which systemd uses without flags. */
function regexOf(glob: string): RegExp {
  const source = glob.replaceAll(/\[!?[^\]]*\]|[*?]|[^*?[]/g, (it) => {
    if (it === "*") return ".*";
    if (it === "?") return ".";
    if (it.startsWith("[")) return it.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    return RegExp.escape(it);
  });
  return new RegExp(`^${source}$`);
}
