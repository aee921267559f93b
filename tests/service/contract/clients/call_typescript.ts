// Calls the service with a client that openapi-typescript made: `node call_typescript.js URL NAME PASSWORD`.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const [url, name, password] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url });
const registered = await client.POST("/api/v1/auth/register", {
  body: { username: name, email: `${name}@example.com`, password },
});
console.log("registered", registered.data && "username" in registered.data ? registered.data.username : registered.error);
const login = await client.POST("/api/v1/auth/login", { body: { username: name, password } });
const renewed = await client.POST("/api/v1/auth/refresh", { body: { refresh_token: login.data!.refresh_token! } });
const headers = { Authorization: `Bearer ${renewed.data!.access_token}` };
const me = await client.GET("/api/v1/auth/me", { headers });
console.log("me", me.data?.email);
const refused = await client.GET("/api/v1/tasks/{task_id}/status", {
  params: { path: { task_id: "none" } },
  headers: { Authorization: "Bearer bad" },
});
console.log("refused", refused.error?.status);
const out = await client.POST("/api/v1/auth/logout", {
  body: { refresh_token: renewed.data!.refresh_token! },
  headers,
});
console.log("out", out.data?.success);
