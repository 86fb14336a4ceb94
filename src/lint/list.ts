// The list of all checks, which `--list` prints.
import { formatYaml } from "../format/yaml-out.ts";
import { CHECKS } from "./table.ts";

export function formatList(): string {
  return formatYaml(
    CHECKS.map(({ name, severity, description, rootKind }) => ({
      name,
      type: severity,
      description,
      "root-type":
        rootKind === undefined
          ? undefined
          : { running: "Running", alternative: "Alternative" }[rootKind],
    })),
  );
}
