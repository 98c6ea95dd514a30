export default {
  "order": "Pedido {id}",
  "summary": {
    "title": "Lo que has pedido",
    "each": "{price} la unidad",
    "total": "Total"
  },
  "share": {
    "button": "Compartir",
    "copied": "Enlace copiado",
    "copy": "Copia este enlace:"
  },
  "page": {
    "reload": "Recargar",
    "latest": "Recarga esta página para ver el estado más reciente.",
    "languages": "Idioma",
    "zone": "Zona horaria: {zone}",
    "updated": "Hora de actualización: {time}"
  },
  "problem": {
    "gone_next": "Los enlaces de seguimiento caducan un tiempo después de la entrega. Si aún esperas un pedido, pide un enlace nuevo al restaurante.",
    "unknown_next": "Comprueba la dirección o vuelve a abrir el enlace que recibiste.",
    "foreign": "No puedes ver este pedido",
    "foreign_next": "Abre el enlace que recibiste para tu propio pedido.",
    "token": "Para ver esta página necesitas el enlace que recibiste",
    "token_next": "Vuelve a abrir el enlace de la confirmación de tu pedido.",
    "busy": "Demasiadas solicitudes",
    "busy_next": "Espera un momento y recarga esta página.",
    "down": "Ahora mismo no podemos mostrar tu pedido",
    "down_next": "Recarga esta página dentro de un minuto y verás el estado actualizado.",
    "other": "Algo ha salido mal",
    "other_next": "Recarga esta página. Si no funciona, contacta con el restaurante."
  }
};
