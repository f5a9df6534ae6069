//! Security settings of a Kafka 4.3 broker, which Milena knows and does not honour yet.

use crate::setting::{Scope, Setting, Type};

const NO_AUTHORIZER: &str =
    "Milena does not check permissions yet; remove it only if every client that connects may do everything";
const NO_SASL: &str = "Milena does not authenticate clients yet";
const NO_TLS: &str = "Milena does not speak TLS yet";
const NO_TOKENS: &str = "Milena has no delegation tokens yet";
const ONE_BROKER: &str = "a cluster has one broker yet, so nothing is replicated";

const fn broker(name: &'static str, kind: Type, default: &'static str) -> Setting {
    crate::setting::setting(Scope::Broker, name, kind, default)
}

const fn without(name: &'static str, kind: Type) -> Setting {
    crate::setting::unset(Scope::Broker, name, kind)
}

/// The rows by name, in order.
pub(crate) static BROKER_SECURITY: &[Setting] = &[
    broker("authorizer.class.name", Type::String, "").refused(NO_AUTHORIZER),
    broker("connection.failed.authentication.delay.ms", Type::Int, "100").at_least(0).warned(NO_SASL),
    broker("connections.max.reauth.ms", Type::Long, "0").warned(NO_SASL),
    broker("delegation.token.expiry.check.interval.ms", Type::Long, "3600000").at_least(1).warned(NO_TOKENS),
    broker("delegation.token.expiry.time.ms", Type::Long, "86400000").at_least(1).warned(NO_TOKENS),
    broker("delegation.token.max.lifetime.ms", Type::Long, "604800000").at_least(1).warned(NO_TOKENS),
    without("delegation.token.secret.key", Type::Password).warned(NO_TOKENS),
    broker(
        "principal.builder.class",
        Type::Class,
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
    )
    .per_broker()
    .warned(NO_SASL),
    without("sasl.client.callback.handler.class", Type::Class).warned(NO_SASL),
    broker("sasl.enabled.mechanisms", Type::List, "GSSAPI").per_broker().warned(NO_SASL),
    without("sasl.jaas.config", Type::Password).per_broker().warned(NO_SASL),
    broker("sasl.kerberos.kinit.cmd", Type::String, "/usr/bin/kinit").per_broker().warned(NO_SASL),
    broker("sasl.kerberos.min.time.before.relogin", Type::Long, "60000").per_broker().warned(NO_SASL),
    broker("sasl.kerberos.principal.to.local.rules", Type::List, "DEFAULT").per_broker().warned(NO_SASL),
    without("sasl.kerberos.service.name", Type::String).per_broker().warned(NO_SASL),
    broker("sasl.kerberos.ticket.renew.jitter", Type::Double, "0.05").per_broker().warned(NO_SASL),
    broker("sasl.kerberos.ticket.renew.window.factor", Type::Double, "0.8").per_broker().warned(NO_SASL),
    without("sasl.login.callback.handler.class", Type::Class).warned(NO_SASL),
    without("sasl.login.class", Type::Class).warned(NO_SASL),
    without("sasl.login.connect.timeout.ms", Type::Int).warned(NO_SASL),
    without("sasl.login.read.timeout.ms", Type::Int).warned(NO_SASL),
    broker("sasl.login.refresh.buffer.seconds", Type::Short, "300").per_broker().warned(NO_SASL),
    broker("sasl.login.refresh.min.period.seconds", Type::Short, "60").per_broker().warned(NO_SASL),
    broker("sasl.login.refresh.window.factor", Type::Double, "0.8").per_broker().warned(NO_SASL),
    broker("sasl.login.refresh.window.jitter", Type::Double, "0.05").per_broker().warned(NO_SASL),
    broker("sasl.login.retry.backoff.max.ms", Type::Long, "10000").warned(NO_SASL),
    broker("sasl.login.retry.backoff.ms", Type::Long, "100").warned(NO_SASL),
    broker("sasl.mechanism.controller.protocol", Type::String, "GSSAPI").warned(NO_SASL),
    broker("sasl.mechanism.inter.broker.protocol", Type::String, "GSSAPI").per_broker().warned(NO_SASL),
    broker("sasl.oauthbearer.assertion.algorithm", Type::String, "RS256").warned(NO_SASL),
    without("sasl.oauthbearer.assertion.claim.aud", Type::String).warned(NO_SASL),
    broker("sasl.oauthbearer.assertion.claim.exp.seconds", Type::Int, "300")
        .between(0, 86_400)
        .warned(NO_SASL),
    without("sasl.oauthbearer.assertion.claim.iss", Type::String).warned(NO_SASL),
    broker("sasl.oauthbearer.assertion.claim.jti.include", Type::Boolean, "false").warned(NO_SASL),
    broker("sasl.oauthbearer.assertion.claim.nbf.seconds", Type::Int, "60").between(0, 3600).warned(NO_SASL),
    without("sasl.oauthbearer.assertion.claim.sub", Type::String).warned(NO_SASL),
    without("sasl.oauthbearer.assertion.file", Type::String).warned(NO_SASL),
    without("sasl.oauthbearer.assertion.private.key.file", Type::String).warned(NO_SASL),
    without("sasl.oauthbearer.assertion.private.key.passphrase", Type::Password).warned(NO_SASL),
    without("sasl.oauthbearer.assertion.template.file", Type::String).warned(NO_SASL),
    without("sasl.oauthbearer.client.credentials.client.id", Type::String).warned(NO_SASL),
    without("sasl.oauthbearer.client.credentials.client.secret", Type::Password).warned(NO_SASL),
    broker("sasl.oauthbearer.clock.skew.seconds", Type::Int, "30").warned(NO_SASL),
    broker("sasl.oauthbearer.expected.audience", Type::List, "").warned(NO_SASL),
    without("sasl.oauthbearer.expected.issuer", Type::String).warned(NO_SASL),
    broker("sasl.oauthbearer.jwks.endpoint.refresh.ms", Type::Long, "3600000").warned(NO_SASL),
    broker("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Type::Long, "10000").warned(NO_SASL),
    broker("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Type::Long, "100").warned(NO_SASL),
    without("sasl.oauthbearer.jwks.endpoint.url", Type::String).warned(NO_SASL),
    broker(
        "sasl.oauthbearer.jwt.retriever.class",
        Type::Class,
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
    )
    .warned(NO_SASL),
    broker(
        "sasl.oauthbearer.jwt.validator.class",
        Type::Class,
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
    )
    .warned(NO_SASL),
    without("sasl.oauthbearer.scope", Type::String).warned(NO_SASL),
    broker("sasl.oauthbearer.scope.claim.name", Type::String, "scope").warned(NO_SASL),
    broker("sasl.oauthbearer.sub.claim.name", Type::String, "sub").warned(NO_SASL),
    without("sasl.oauthbearer.token.endpoint.url", Type::String).warned(NO_SASL),
    without("sasl.server.callback.handler.class", Type::Class).warned(NO_SASL),
    broker("sasl.server.max.receive.size", Type::Int, "524288").warned(NO_SASL),
    broker("security.inter.broker.protocol", Type::String, "PLAINTEXT")
        .words(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
        .warned(ONE_BROKER),
    without("security.providers", Type::String).warned(NO_TLS),
    broker("ssl.allow.dn.changes", Type::Boolean, "false").warned(NO_TLS),
    broker("ssl.allow.san.changes", Type::Boolean, "false").warned(NO_TLS),
    broker("ssl.cipher.suites", Type::List, "").per_broker().warned(NO_TLS),
    broker("ssl.client.auth", Type::String, "none")
        .words(&["required", "requested", "none"])
        .per_broker()
        .warned(NO_TLS),
    broker("ssl.enabled.protocols", Type::List, "TLSv1.2,TLSv1.3").per_broker().warned(NO_TLS),
    broker("ssl.endpoint.identification.algorithm", Type::String, "https").per_broker().warned(NO_TLS),
    without("ssl.engine.factory.class", Type::Class).per_broker().warned(NO_TLS),
    without("ssl.key.password", Type::Password).per_broker().warned(NO_TLS),
    broker("ssl.keymanager.algorithm", Type::String, "SunX509").per_broker().warned(NO_TLS),
    without("ssl.keystore.certificate.chain", Type::Password).per_broker().warned(NO_TLS),
    without("ssl.keystore.key", Type::Password).per_broker().warned(NO_TLS),
    without("ssl.keystore.location", Type::String).per_broker().warned(NO_TLS),
    without("ssl.keystore.password", Type::Password).per_broker().warned(NO_TLS),
    broker("ssl.keystore.type", Type::String, "JKS").per_broker().warned(NO_TLS),
    broker("ssl.principal.mapping.rules", Type::String, "DEFAULT").warned(NO_TLS),
    broker("ssl.protocol", Type::String, "TLSv1.3").per_broker().warned(NO_TLS),
    without("ssl.provider", Type::String).per_broker().warned(NO_TLS),
    without("ssl.secure.random.implementation", Type::String).per_broker().warned(NO_TLS),
    broker("ssl.trustmanager.algorithm", Type::String, "PKIX").per_broker().warned(NO_TLS),
    without("ssl.truststore.certificates", Type::Password).per_broker().warned(NO_TLS),
    without("ssl.truststore.location", Type::String).per_broker().warned(NO_TLS),
    without("ssl.truststore.password", Type::Password).per_broker().warned(NO_TLS),
    broker("ssl.truststore.type", Type::String, "JKS").per_broker().warned(NO_TLS),
];
