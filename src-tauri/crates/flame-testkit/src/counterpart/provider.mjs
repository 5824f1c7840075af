// An OpenID provider with a client for each way to prove one, and a resource that wants its tokens.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';

const { publicKey, privateKey } = await generateKeyPair('ES256');
const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' };
const secret = 'a-secret-that-is-long-enough-for-hs256';
const client = (client_id, token_endpoint_auth_method, more = { client_secret: secret }) => ({
  client_id,
  token_endpoint_auth_method,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  ...more,
});

const server = createServer().listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [
      client('basic', 'client_secret_basic'),
      client('post', 'client_secret_post'),
      client('jwt', 'client_secret_jwt', {
        client_secret: secret,
        token_endpoint_auth_signing_alg: 'HS256',
      }),
      client('key', 'private_key_jwt', {
        jwks: { keys: [jwk] },
        token_endpoint_auth_signing_alg: 'ES256',
      }),
    ],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    scopes: ['stock'],
    ttl: { ClientCredentials: 600 },
  });
  let granted = 0;
  provider.on('grant.success', () => (granted += 1));
  const answer = provider.callback();
  const json = (response, status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const bearer = async (request) => {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    return scheme === 'Bearer' ? provider.ClientCredentials.find(token) : undefined;
  };
  server.on('request', async (request, response) => {
    switch (request.url) {
      case '/resource': {
        const token = await bearer(request);
        if (!token) return json(response, 401, { error: 'invalid_token' });
        return json(response, 200, { client: token.clientId, scope: token.scope, granted });
      }
      case '/revoke': {
        const token = await bearer(request);
        await token?.destroy();
        return json(response, 200, {});
      }
      case '/assertion': {
        const jwt = new SignJWT({ jti: crypto.randomUUID() })
          .setProtectedHeader({ alg: 'ES256' })
          .setIssuer('key')
          .setSubject('key')
          .setAudience(issuer)
          .setIssuedAt()
          .setExpirationTime('1m');
        return json(response, 200, { assertion: await jwt.sign(privateKey) });
      }
      default:
        return answer(request, response);
    }
  });
  console.log(`serving ${issuer}`);
});
