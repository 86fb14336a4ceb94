// A report as a flat list: one result for each thing found, as programs want it.
import type { Severity } from "../check.ts";
import type { Report } from "../run.ts";

export interface Result {
  readonly name: string;
  readonly severity: Severity;
  readonly message: string;
  /** Without a leading slash; undefined when it is about no file. */
  readonly path: string | undefined;
  readonly isFixable: boolean;
}

export function resultsOf({ found }: Report): readonly Result[] {
  return found.flatMap(({ check: { name, severity }, findings }) =>
    findings.flatMap(({ message, path, repair, items }): readonly Result[] => {
      const result = { name, severity };
      if (items === undefined) {
        return [{ ...result, message, path, isFixable: repair !== undefined }];
      }
      return items.map((it) => ({
        ...result,
        message: `${message}: ${it.shown}`,
        path: it.path,
        isFixable: it.repair !== undefined,
      }));
    }),
  );
}
