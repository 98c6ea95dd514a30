export default {
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
  "eta": {
    "expected": "Llegada prevista",
    "due": "Llegada prevista",
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
    "due": "Tu pedido debería llegar en cualquier momento.",
    "overdue": "Tu pedido está tardando más de lo previsto. Aún no hay una nueva estimación.",
    "delivered_late": "Tu pedido llegó más tarde de lo previsto."
  },
  "connection": {
    "connecting": "Conectando…",
    "live": "Se actualiza solo",
    "reconnecting": "Se ha perdido la conexión. Reintentando…",
    "offline": "No tienes conexión",
    "ended": "Este pedido ha finalizado. No habrá más actualizaciones.",
    "back": "Vuelves a tener conexión.",
    "checked": "Última comprobación {ago}"
  },
  "updated": {
    "ago": "Cambió {ago}",
    "now": "Acaba de cambiar"
  },
  "problem": {
    "gone": "Este enlace ya no funciona",
    "unknown": "No encontramos este pedido"
  }
};
