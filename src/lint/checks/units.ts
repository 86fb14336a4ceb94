// Checks of systemd's units: what is enabled, and whether it stays so.
import { type Check, listing } from "../check.ts";
import { readPresets } from "../formats/presets.ts";
import { absolute, quotePath } from "../formats/quote.ts";
import type { Entry, ImageTree } from "../tree.ts";

const UNITS = "etc/systemd/system";
const UNIT_DIRS = [UNITS, "usr/local/lib/systemd/system", "usr/lib/systemd/system"];
const PRESET_DIRS = ["usr/lib", "usr/local/lib", "etc"].map((it) => `${it}/systemd/system-preset`);

export const unpresetUnits: Check = {
  name: "unpreset-units",
  severity: "note",
  description: "units that the image enables are enabled by a preset",
  reason:
    "On a machine that boots for the first time, which an empty `/etc/machine-id` says, systemd " +
    "sets all units to what the presets say, and disables what `RUN systemctl enable` enabled.",
  fix: "`RUN echo 'enable NAME.service' >/usr/lib/systemd/system-preset/10-NAME.preset`.",
  look: ({ tree }) => {
    const isDisabled = readPresets(presetFiles(tree));
    const disabled = enabledUnits(tree).filter((it) => isDisabled(presetName(nameOf(it))));
    const names = [...new Set(disabled.map(nameOf))];
    return listing(
      "Found enabled units that presets disable",
      names.map((it) => ({ shown: quotePath(it), path: pathOf(disabled, it) })),
    );
  },
};

export const missingUnits: Check = {
  name: "missing-units",
  severity: "warning",
  description: "enabled units exist",
  reason:
    "A package was removed and its unit stayed enabled, or the name has a typo: systemd skips " +
    "the link, and nothing starts.",
  fix: "`RUN systemctl disable NAME`, or remove the link.",
  look: ({ tree }) =>
    listing(
      "Found enabled units that do not exist",
      enabledUnits(tree)
        .filter((it) => !hasUnit(tree, it))
        .map((it) => ({
          shown: `${absolute(it.path)} -> ${quotePath(it.target ?? "")}`,
          path: it.path,
        })),
    ),
};

/** The links that enable units. For systemd, only their targets count. */
function enabledUnits(tree: ImageTree): readonly Entry[] {
  return tree
    .below(UNITS)
    .filter((it) => it.kind === "link" && /\.(wants|requires|upholds)\/[^/]+$/.test(it.path));
}

/** Units in /run and of generators are made at boot. */
function hasUnit(tree: ImageTree, link: Entry): boolean {
  if (tree.follow(link.path) !== undefined || link.target?.startsWith("/run/")) return true;
  const names = [nameOf(link), presetName(nameOf(link))];
  return names.some((name) => UNIT_DIRS.some((dir) => tree.at(`${dir}/${name}`) !== undefined));
}

function presetFiles(tree: ImageTree) {
  // A file of the same name in a later directory replaces the earlier one.
  const files = new Map<string, string>();
  for (const dir of PRESET_DIRS) {
    for (const name of tree.names(dir).filter((it) => it.endsWith(".preset"))) {
      files.set(name, tree.readText(`${dir}/${name}`) ?? "");
    }
  }
  return [...files].map(([name, text]) => ({ name, text }));
}

function nameOf({ path }: Entry): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Presets are applied to unit files, and that of an instance is its template. */
function presetName(unit: string): string {
  return unit.replace(/@[^.]+\./, "@.");
}

function pathOf(links: readonly Entry[], name: string): string {
  return links.find((it) => nameOf(it) === name)?.path ?? UNITS;
}
