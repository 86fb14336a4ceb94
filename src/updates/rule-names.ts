// The names of everything that can keep a step from being taken, as status and metrics show them.
import { RULES } from "./decide.ts";
import { GATES } from "./gates.ts";

export const RULE_NAMES: readonly string[] = [
  ...RULES.map((it) => it.name),
  ...Object.keys(GATES),
  "fleet_lock",
];
