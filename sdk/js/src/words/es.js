export default {
  "order": "Pedido {id}",
  "headline": {
    "confirmed": "Tu pedido está confirmado",
    "preparing": "Estamos preparando tu pedido",
    "ready": "Tu pedido está listo",
    "picked_up": "Tu pedido está en camino",
    "delivered": "Entregado. ¡Buen provecho!",
    "cancelled": "Tu pedido se ha cancelado",
    "unknown": "Tu pedido está en curso"
  },
  "step": {
    "confirmed": "Confirmado",
    "preparing": "En preparación",
    "ready": "Listo",
    "picked_up": "En camino",
    "delivered": "Entregado",
    "cancelled": "Cancelado"
  },
  "state": {
    "done": "Hecho",
    "current": "Ahora",
    "next": "Pendiente",
    "skipped": "Omitido"
  },
  "progress": "Paso {number} de {of}",
  "eta": {
    "expected": "Llegada prevista",
    "overdue": "Última estimación",
    "arrived": "Hora de entrega",
    "planned": "Previsto inicialmente:"
  },
  "notice": {
    "cancelled_restaurant": "El restaurante ha cancelado este pedido.",
    "cancelled_customer": "El pedido se ha cancelado a petición del cliente.",
    "cancelled_courier": "El repartidor ha cancelado la entrega.",
    "cancelled_other": "El pedido no se entregará.",
    "was_picked_up": "El pedido ya había salido del restaurante.",
    "contact": "Si tienes alguna pregunta, contacta con el restaurante.",
    "reason": "Motivo: {reason}",
    "undone": "Corrección: «{undone}» se marcó por error. Tu pedido vuelve a estar en «{to}».",
    "restored": "Se ha retirado la cancelación. Tu pedido sigue adelante.",
    "courier_replaced": "Otro repartidor se encarga ahora de tu pedido.",
    "late": "Tu pedido llegará más tarde de lo previsto.",
    "overdue": "Tu pedido lleva retraso. Aún no hay una nueva estimación.",
    "delivered_late": "Tu pedido llegó más tarde de lo previsto."
  },
  "connection": {
    "connecting": "Conectando…",
    "live": "En directo",
    "reconnecting": "Se ha perdido la conexión. Reintentando…",
    "offline": "No tienes conexión.",
    "ended": "Este pedido ha finalizado. No habrá más actualizaciones.",
    "back": "Vuelves a tener conexión.",
    "checked": "Última comprobación {ago}."
  },
  "updated": {
    "ago": "Actualizado {ago}",
    "now": "Actualizado ahora mismo",
    "at": "Hora de actualización: {time}"
  },
  "share": {
    "button": "Compartir",
    "copied": "Enlace copiado",
    "failed": "No se ha podido copiar el enlace. Cópialo desde la barra de direcciones."
  },
  "summary": {
    "title": "Tu pedido",
    "total": "Total"
  },
  "page": {
    "reload": "Recargar",
    "noscript": "Recarga esta página para ver el estado más reciente.",
    "zone": "Zona horaria: {zone}"
  },
  "problem": {
    "gone": "Este enlace ya no funciona",
    "gone_next": "Los enlaces de seguimiento caducan un tiempo después de la entrega. Si aún esperas un pedido, pide un enlace nuevo al restaurante.",
    "unknown": "No encontramos este pedido",
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
