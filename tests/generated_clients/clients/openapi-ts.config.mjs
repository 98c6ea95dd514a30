export default {
  input: "openapi.json",
  logs: { file: false },
  output: { path: "generated/hey_api", module: { extension: ".js" } },
  plugins: ["@hey-api/client-fetch"],
};
