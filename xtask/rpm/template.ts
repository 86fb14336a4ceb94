// Fills in a template whose result rpm reads: values are escaped for rpm, a value that is missing is fatal.
import ejs from "ejs";
import { BootcError } from "../../src/errors.ts";

/**
 * Renders `template`. It reaches its values through `it`: `<%= %>` escapes for rpm, `<%- %>` puts text
 * in as it is. Fails on a value that is missing or undefined, wherever in `values` it would lie.
 */
export function renderTemplate(path: string, template: string, values: object): string {
  try {
    return ejs.render(
      template,
      { it: guard(values, path, "it") },
      {
        strict: true,
        // It copies what it is given; only what lies deeper stays guarded.
        destructuredLocals: ["it"],
        escape: (value) => escapeForRpm(String(value)),
        // Errors would be wrapped in a dozen lines of the template.
        compileDebug: false,
      },
    );
  } catch (cause) {
    if (cause instanceof BootcError) throw cause;
    throw new BootcError(`\`${path}\` cannot be rendered`, {
      cause: new BootcError(cause instanceof Error ? cause.message : String(cause)),
      hint: `mend \`${path}\`; its values are all below \`it\``,
    });
  }
}

/** One line, in which rpm expands nothing. Fails on a line break, which could start another tag. */
export function escapeForRpm(value: string): string {
  if (/[\n\r\0]/.test(value)) {
    throw new BootcError(`\`${value.slice(0, 40)}\` has more than one line`, {
      hint: "a value of the spec must stand on one line",
    });
  }
  return value.replaceAll("%", "%%");
}

/** `values`, in which asking for what is not there is an error instead of nothing. */
function guard<T extends object>(values: T, path: string, name: string): T {
  return new Proxy(values, {
    get(target, key, receiver) {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof key === "symbol") return value;
      if (value === undefined) {
        throw new BootcError(`\`${path}\` uses \`${name}.${key}\`, which has no value`, {
          hint: "correct the name in the template, or give the value in xtask/spec.ts",
        });
      }
      const isPlain = typeof value === "object" && value !== null;
      return isPlain ? guard(value, path, `${name}.${key}`) : value;
    },
  });
}
